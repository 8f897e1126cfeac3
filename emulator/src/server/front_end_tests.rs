use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn echo() -> FrontEnd {
    Listening::on("echo", ANY_PORT).unwrap().serve(|mut connection: Connection| async move {
        let mut buffer = [0_u8; 64];
        while let Ok(count @ 1..) = connection.stream.read(&mut buffer).await {
            if connection.stream.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    })
}

async fn say_hello(stream: &mut TcpStream) {
    stream.write_all(b"hello").await.unwrap();
    let mut answer = [0_u8; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"hello");
}

#[tokio::test]
async fn a_paused_front_end_resets_old_connections_and_refuses_new_ones() {
    let front_end = echo();
    let mut old = TcpStream::connect(front_end.address()).await.unwrap();
    say_hello(&mut old).await;

    front_end.pause().await.unwrap();

    let mut byte = [0_u8];
    let error = old.read(&mut byte).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let error = TcpStream::connect(front_end.address()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_resumed_front_end_serves_the_same_address() {
    let front_end = echo();
    let address = front_end.address();
    for _ in 0..3 {
        front_end.pause().await.unwrap();
        front_end.pause().await.unwrap();
        assert!(std::net::TcpListener::bind(address).is_err(), "the address must stay reserved");
        front_end.resume().await.unwrap();
        front_end.resume().await.unwrap();
        say_hello(&mut TcpStream::connect(address).await.unwrap()).await;
    }
}

#[tokio::test]
async fn a_closed_front_end_gives_its_address_back() {
    let front_end = echo();
    let address = front_end.address();
    front_end.close().await;
    std::net::TcpListener::bind(address).unwrap();
}
