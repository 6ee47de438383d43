//! Who may ask: programs of this machine, not the pages that its browsers happen to show.
//!
//! A page of another site can make a browser send requests here. It cannot make it send JSON (that asks first, and nobody
//! answers such a question here; [`super::body`] takes nothing else), nor hide where it comes from. A name that was made to point at this machine gives
//! itself away: requests to a name other than `localhost` are refused.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::refusal::Refusal;
use super::token::Token;

/// Lets a request pass, or says why not. Over TCP there is a token to be shown; a socket's mode says who may.
pub(super) async fn guard(State(token): State<Option<Arc<Token>>>, request: Request, next: Next) -> Response {
    let checked = check(request.headers())
        .and_then(|()| token.map_or(Ok(()), |token| ask(&token, request.headers(), request.uri())));
    match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            let mut response = refusal.into_response();
            if response.status() == StatusCode::UNAUTHORIZED {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            response
        }
    }
}

/// Whether the token was shown: as a bearer (RFC 6750 2.1) or, for addresses that are typed into a browser, as `?token=`.
fn ask(token: &Token, headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, word) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(word.trim())
    });
    let mut of_query =
        uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.strip_prefix("token="));
    let (message, help) = match bearer.or_else(|| of_query.next()) {
        Some(given) if token.is(given) => return Ok(()),
        Some(_) => {
            ("the token is another one", "it is in the node's admin.token_file, node.token beside its key")
        }
        None => (
            "this address asks for a token",
            "it is in the node's admin.token_file, node.token beside its key: octick --token-file FILE, or curl -H \"Authorization: Bearer $(cat FILE)\"",
        ),
    };
    Err(Refusal::new(StatusCode::UNAUTHORIZED, "no_token", message, help))
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
    fn a_token_is_shown_as_a_bearer_or_in_the_address() {
        let token = Token::new("0123456789abcdef").unwrap();
        let ask = |authorization: &str, uri: &str| {
            let headers = [(header::AUTHORIZATION, authorization.parse().unwrap())].into_iter();
            ask(&token, &headers.collect(), &uri.parse().unwrap()).is_ok()
        };
        assert!(ask("Bearer 0123456789abcdef", "/"));
        assert!(ask("bearer 0123456789abcdef", "/"));
        assert!(ask("", "/api/v1/info?a=b&token=0123456789abcdef"));
        for (authorization, uri) in [
            ("", "/"),
            ("Basic 0123456789abcdef", "/"),
            ("Bearer 0123456789abcdeg", "/?token=0123456789abcdef"),
            ("", "/?token="),
            ("", "/?xtoken=0123456789abcdef"),
        ] {
            assert!(!ask(authorization, uri), "{authorization} {uri}");
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
