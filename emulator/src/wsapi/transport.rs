//! Connections of the REST interface: TLS, HTTP/1.1, and the tolerance for odd URIs.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Uri, uri::PathAndQuery},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::request_line::MendedStream;
use crate::server::{Connection, Cut};

/// How long a client may take for the TLS handshake or for a request head (the array's own code 7, TIMEOUT).
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// Largest request head, in bytes.
const LARGEST_HEAD: usize = 64 * 1024;

/// Serves one connection until either side ends it.
pub(crate) async fn serve(service: Router, tls: Option<TlsAcceptor>, connection: Connection) {
    let Connection { stream, peer, cut } = connection;
    let Some(acceptor) = tls else {
        return speak_http(service, stream, peer, cut).await;
    };
    match tokio::time::timeout(HEAD_WITHIN, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => speak_http(service, stream, peer, cut).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
    }
}

async fn speak_http<S>(service: Router, stream: S, peer: SocketAddr, cut: Cut)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |request: Request<Incoming>| {
        let (service, cut) = (service.clone(), cut.clone());
        async move { Ok::<Response, Infallible>(answer(service, cut, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(MendedStream::new(stream)), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "HTTP connection ended");
    }
}

/// Answers one request; the connection's cut goes along for faults that break it.
async fn answer(service: Router, cut: Cut, request: Request<Incoming>) -> Response {
    let mut request = request.map(Body::new);
    if let Some(uri) = tidy(request.uri()) {
        *request.uri_mut() = uri;
    }
    request.extensions_mut().insert(cut);
    match service.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The URI without doubled slashes and without a slash at the end; `None` when it is tidy already.
fn tidy(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    if !path.contains("//") && (path == "/" || !path.ends_with('/')) {
        return None;
    }
    let mut tidied = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        tidied.push('/');
        tidied.push_str(segment);
    }
    if tidied.is_empty() {
        tidied.push('/');
    }
    if let Some(query) = uri.query() {
        tidied.push('?');
        tidied.push_str(query);
    }
    PathAndQuery::try_from(tidied).ok().map(Uri::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_tidied_and_the_query_is_kept() {
        for (odd, even) in [
            ("/api/v1//vluns?query=a", "/api/v1/vluns?query=a"),
            ("/api/v1/volumes/?query=%22a//b%22", "/api/v1/volumes?query=%22a//b%22"),
            ("//api/v1/", "/api/v1"),
            ("//", "/"),
        ] {
            assert_eq!(tidy(&odd.parse().unwrap()).unwrap(), even);
        }
        assert_eq!(tidy(&"/api/v1/vluns?query=a//b".parse().unwrap()), None);
        assert_eq!(tidy(&"/".parse().unwrap()), None);
    }
}
