//! Members that were convicted, by what proof, and proofs of which parts are missing.
//!
//! In come pieces of proofs, whoever brings them; out come whole proofs, for somebody else to check, and who is convicted. What can
//! never happen: a conviction without a proof that held, or more memory for pieces than a few proofs take.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use octick_crypto::NodeId;

use crate::control::id::MemberIndex;
use crate::control::message::equivocation::{PIECES_MAX, Piece, Proof};
use crate::limits::{CONVICTIONS_MAX, PROOFS_PER_SEC, PROOFS_UNDER_WAY_MAX};
use crate::token_bucket::TokenBucket;

/// Why a member is none any more.
#[derive(Clone, Debug)]
pub struct Conviction {
    /// What proves it.
    pub proof: Arc<Proof>,
    /// Credentials up to this serial do not bring it back.
    pub serial: u64,
    /// When this node learnt of it, microseconds.
    pub at: u64,
    /// Whether this node's operator knows better.
    pub pardoned: bool,
}

/// Who is convicted.
#[derive(Debug)]
pub struct Proofs {
    convictions: BTreeMap<NodeId, Conviction>,
    under_way: VecDeque<Assembly>,
    checks: TokenBucket,
    /// When what is new is told to somebody again; never if nothing is.
    pub(super) retell_at: u64,
}

/// A proof of which parts came from one member.
#[derive(Debug)]
struct Assembly {
    from: MemberIndex,
    origin: NodeId,
    count: u8,
    parts: [Vec<u8>; PIECES_MAX],
}

impl Proofs {
    /// Nobody is convicted.
    pub fn new(now: u64) -> Self {
        let checks = TokenBucket::new(PROOFS_PER_SEC, now);
        Self { convictions: BTreeMap::new(), under_way: VecDeque::new(), checks, retell_at: u64::MAX }
    }

    /// Why a member was convicted, if it was.
    pub fn of(&self, id: NodeId) -> Option<&Conviction> {
        self.convictions.get(&id)
    }

    /// Everybody who was convicted, and why.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Conviction)> {
        self.convictions.iter().map(|(id, conviction)| (*id, conviction))
    }

    /// Whether who lives by a credential of this serial is convicted; zero is none.
    pub fn convicts(&self, id: NodeId, serial: u64) -> bool {
        self.convictions
            .get(&id)
            .is_some_and(|conviction| !conviction.pardoned && serial <= conviction.serial)
    }

    /// Whether one more proof may be checked now.
    pub fn may_check(&mut self, now: u64) -> bool {
        self.checks.take(1, now)
    }

    /// Whether one more member can be convicted.
    pub fn has_room(&self) -> bool {
        self.convictions.len() < CONVICTIONS_MAX
    }

    /// A proof held.
    pub fn convict(&mut self, proof: Arc<Proof>, serial: u64, now: u64) {
        assert!(self.has_room() || self.of(proof.origin()).is_some(), "there is room for one more");
        let origin = proof.origin();
        self.under_way.retain(|assembly| assembly.origin != origin);
        self.convictions.insert(origin, Conviction { proof, serial, at: now, pardoned: false });
        self.retell_at = self.retell_at.min(now);
    }

    /// A part of a proof came. Returns the bytes of the whole, if that was the last one missing.
    pub fn take(&mut self, from: MemberIndex, piece: &Piece<'_>) -> Option<Vec<u8>> {
        let same = |assembly: &Assembly| {
            assembly.from == from && assembly.origin == piece.origin && assembly.count == piece.count
        };
        let at = match self.under_way.iter().position(same) {
            Some(at) => at,
            None => {
                // Whoever sends many at once pushes out its own.
                let own = self.under_way.iter().position(|assembly| assembly.from == from);
                if let Some(oldest) = own.or((self.under_way.len() == PROOFS_UNDER_WAY_MAX).then_some(0)) {
                    self.under_way.remove(oldest);
                }
                let parts = core::array::from_fn(|_| Vec::new());
                self.under_way.push_back(Assembly { from, origin: piece.origin, count: piece.count, parts });
                self.under_way.len() - 1
            }
        };
        assert!(at < self.under_way.len() && self.under_way.len() <= PROOFS_UNDER_WAY_MAX);
        assert!(piece.index < piece.count && usize::from(piece.count) <= PIECES_MAX, "{piece:?}");
        let assembly = &mut self.under_way[at];
        assembly.parts[usize::from(piece.index)] = piece.bytes.to_vec();
        if assembly.parts[..usize::from(piece.count)].iter().any(Vec::is_empty) {
            return None;
        }
        let whole = self.under_way.remove(at).map(|assembly| assembly.parts.concat());
        assert!(whole.as_ref().is_some_and(|whole| !whole.is_empty()), "a proof of no bytes");
        whole
    }

    /// The member at a place is forgotten: it brings no more parts.
    pub fn forget(&mut self, from: MemberIndex) {
        self.under_way.retain(|assembly| assembly.from != from);
    }

    /// An operator knows better: this proof no longer counts here.
    pub fn pardon(&mut self, id: NodeId) -> bool {
        let Some(conviction) = self.convictions.get_mut(&id).filter(|conviction| !conviction.pardoned) else {
            return false;
        };
        // It is kept, so that nobody brings it again.
        conviction.pardoned = true;
        true
    }
}
