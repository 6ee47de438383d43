//! The command itself: reads a file whole, shows what is in it, sums up.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::{fmt, fs};

use octick_core::wire::header::MAGIC;

use super::link::{self, NoDatagram};
use super::pcap::{Capture, CaptureError, Packet};
use super::show::{self, Carrier, Place};
use super::split::{self, Piece};
use crate::failure::Failure;

/// Shows captured frames, one readable line each.
#[derive(Debug, clap::Args)]
pub struct Dump {
    /// A classic pcap capture, or frames one behind another
    file: PathBuf,
    /// Print one JSON object a frame
    #[arg(long)]
    json: bool,
}

impl Dump {
    /// Prints every frame on standard output, and a summary on standard error.
    ///
    /// # Errors
    /// When the file cannot be read, or holds neither a capture nor frames.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let at = self.file.display();
        let refuse = |why: &dyn fmt::Display| Failure::new(format!("{at}: {why}"));
        let bytes = fs::read(&self.file).map_err(|error| refuse(&error))?;
        let mut out = BufWriter::new(io::stdout().lock());
        match dump(&bytes, self.json, &mut out)
            .and_then(|summary| out.flush().map(|()| summary).map_err(Error::Io))
        {
            Ok(summary) => eprintln!("{summary}"),
            // Whoever reads has seen enough.
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => return Err(refuse(&error)),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Shows everything in a capture or a file of frames.
///
/// # Errors
/// [`Error`]; what was shown before it stays shown.
pub fn dump(bytes: &[u8], json: bool, out: &mut impl Write) -> Result<Summary, Error> {
    let mut sink = Sink { out, json, summary: Summary::default() };
    match Capture::open(bytes) {
        Some(capture) => sink.capture(capture.map_err(Error::Capture)?)?,
        None if bytes.first() == Some(&MAGIC) => {
            for piece in split::file(bytes) {
                sink.show(Place { at: piece.at, packet: None }, &piece)?;
            }
        }
        None => return Err(Error::Neither(bytes.first().copied())),
    }
    Ok(sink.summary)
}

struct Sink<'o, W> {
    out: &'o mut W,
    json: bool,
    summary: Summary,
}

impl<W: Write> Sink<'_, W> {
    fn capture(&mut self, capture: Capture<'_>) -> Result<(), Error> {
        let link_type = capture.link_type();
        for (i, packet) in capture.enumerate() {
            self.packet(i as u64 + 1, link_type, &packet.map_err(Error::Capture)?)?;
        }
        Ok(())
    }

    fn packet(&mut self, number: u64, link_type: u16, packet: &Packet<'_>) -> Result<(), Error> {
        let datagram = match link::datagram(link_type, packet.data) {
            Ok(datagram) => datagram,
            Err(why) => {
                *self.summary.skipped.entry(why.name()).or_default() += 1;
                return Ok(());
            }
        };
        if datagram.payload.len() < datagram.wire_len {
            self.summary.cut += 1;
        }
        let carrier = Carrier { number, micros: packet.micros, from: datagram.from, to: datagram.to };
        for piece in split::datagram(datagram.payload) {
            let at = packet.at + datagram.at + piece.at;
            self.show(Place { at, packet: Some(carrier) }, &piece)?;
        }
        Ok(())
    }

    fn show(&mut self, place: Place, piece: &Piece<'_>) -> Result<(), Error> {
        let shown =
            if self.json { show::json(self.out, place, piece) } else { show::text(self.out, place, piece) };
        match piece.frame {
            Ok(_) => self.summary.frames += 1,
            Err(_) => self.summary.damaged += 1,
        }
        shown.map_err(Error::Io)
    }
}

/// What was in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Whole frames.
    pub frames: u64,
    /// Pieces that are no frame.
    pub damaged: u64,
    /// Datagrams of which the capture kept only a part.
    pub cut: u64,
    /// Packets without a datagram, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} frames, {} damaged", self.frames, self.damaged)?;
        if self.cut > 0 {
            write!(f, ", {} datagrams cut by the capture (capture with: tcpdump -s 0)", self.cut)?;
        }
        let reasons = NoDatagram::ALL.iter().filter_map(|why| self.skipped.get_key_value(why.name()));
        reasons.into_iter().try_for_each(|(name, count)| write!(f, ", {count} packets {name}"))
    }
}

/// Why a dump stopped.
#[derive(Debug)]
pub enum Error {
    /// The capture cannot be read further.
    Capture(CaptureError),
    /// The first byte, if there is one, begins neither a capture nor a frame.
    Neither(Option<u8>),
    /// Nothing more can be written.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capture(error) => error.fmt(f),
            Self::Neither(None) => f.write_str("the file is empty"),
            Self::Neither(Some(byte)) => write!(
                f,
                "neither a pcap capture nor frames: it begins with byte {byte:02x}, a frame with {MAGIC:02x}"
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}
