//! Who may ask: programs of this machine, not the pages that its browsers happen to show.
//!
//! A page of another site can make a browser send requests here. It cannot make it send JSON (that asks first, and nobody
//! answers such a question here; [`super::body`] takes nothing else), nor hide where it comes from. A name that was made to point at this machine gives
//! itself away: requests to a name other than `localhost` are refused.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::refusal::Refusal;

/// Lets a request pass, or says why not.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    match check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let host = text(header::HOST).unwrap_or_default();
    if !is_here(&host) {
        let message = format!("the request was sent to \"{host}\", a name that this node does not go by");
        let help = "ask by an IP address, or by localhost";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "foreign_host", message, help));
    }
    if let Some(origin) = text(header::ORIGIN).filter(|origin| *origin != format!("http://{host}")) {
        let message = format!("the request comes from a page of {origin}");
        let help = "ask by octick, curl, or a page of this node itself";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "foreign_origin", message, help));
    }
    Ok(())
}

/// Whether `host`, with or without a port, is an address or localhost: no name that somebody else could hand out.
fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(headers: &[(header::HeaderName, &str)]) -> Option<StatusCode> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        check(&headers).err().map(|refusal| refusal.into_response().status())
    }

    #[test]
    fn a_page_of_another_site_gets_nowhere() {
        let host = (header::HOST, "127.0.0.1:7780");
        assert_eq!(verdict(std::slice::from_ref(&host)), None);
        let own = (header::ORIGIN, "http://127.0.0.1:7780");
        assert_eq!(verdict(&[host.clone(), own]), None);
        for origin in ["https://evil.example", "http://127.0.0.1:80", "null"] {
            let headers = [host.clone(), (header::ORIGIN, origin)];
            assert_eq!(verdict(&headers), Some(StatusCode::FORBIDDEN), "{origin}");
        }
    }

    #[test]
    fn a_name_that_was_made_to_point_here_gives_itself_away() {
        for (host, here) in [
            ("localhost:7780", true),
            ("127.0.0.1", true),
            ("[::1]:7780", true),
            ("::1", false),
            ("rebound.evil.example:7780", false),
            ("", false),
        ] {
            assert_eq!(is_here(host), here, "{host}");
        }
    }
}
