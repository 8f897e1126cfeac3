//! A node's network against the array's data path, over TCP.

use std::net::Ipv4Addr;
use std::time::Duration;

use hpe3par_docker_plugin::array::{Lun, PortPosition, TargetPort, Wwn};
use hpe3par_emulator::Emulator;
use hpe3par_emulator::array::{ArrayConfig, CreateHost, CreateVlun, CreateVolume};
use tokio::runtime::Handle;

use super::*;
use crate::node::fabric::{BLOCK, BlockWrite, Fabric as _, FabricError, Life};

const PATIENCE: Duration = Duration::from_secs(5);
const INITIATOR: &str = "iqn.1993-08.org.debian:01:a";

fn port() -> TargetPort {
    let position = PortPosition { node: 0, slot: 2, card_port: 1 };
    TargetPort::Iscsi { position, portal: "127.0.0.1:3260".to_owned(), iqn: "iqn.array".to_owned() }
}

fn exporting_array() -> Emulator {
    let array = Emulator::new(ArrayConfig::default());
    array
        .with(|array, now| {
            array.create_volume(now, &CreateVolume::thin("v1", "FC_r6", 1024))?;
            array.create_host(now, &CreateHost::iscsi("a", &[INITIATOR]))?;
            array.create_vlun(now, &CreateVlun::host_sees("v1", 7, "a"))
        })
        .unwrap();
    array
}

fn write(wwn: &Wwn) -> BlockWrite {
    let life = Life { node: "a".to_owned(), boot: 1, mount: 1, epoch: 1 };
    BlockWrite { block: 3, data: vec![7; BLOCK], meant_for: wwn.clone(), life }
}

async fn site(settling: Duration) -> (Emulator, SanServer, TcpFabric) {
    let array = exporting_array();
    let server = SanServer::start(Ipv4Addr::LOCALHOST, array.clone(), settling..=settling, 1).await.unwrap();
    let fabric = TcpFabric::to(server.address(), PATIENCE, Handle::current());
    (array, server, fabric)
}

#[tokio::test]
async fn reads_what_it_wrote_and_hears_what_is_not_there() {
    let (_array, _server, fabric) = site(Duration::ZERO).await;
    let (lun, absent) = (Lun::try_from(7).unwrap(), Lun::try_from(8).unwrap());
    let nexus = fabric.login(INITIATOR, &port()).await.unwrap();
    assert!(fabric.report_luns(nexus).await.unwrap().contains(&lun));
    let wwn = fabric.identity(nexus, lun).await.unwrap();
    assert!(fabric.capacity(nexus, lun).await.unwrap() > 1000);
    fabric.write(nexus, lun, write(&wwn)).await.unwrap();
    assert_eq!(fabric.read(nexus, lun, 3, 1).await.unwrap(), vec![7; BLOCK]);
    assert_eq!(fabric.identity(nexus, absent).await, Err(FabricError::NoLun));
    fabric.logout(nexus).await.unwrap();
    assert_eq!(fabric.identity(nexus, lun).await, Err(FabricError::NexusLost));
}

#[tokio::test]
async fn a_second_login_ends_the_first_session_and_aborts_its_writes() {
    let (array, _server, fabric) = site(Duration::from_secs(60)).await;
    let lun = Lun::try_from(7).unwrap();
    let first = fabric.login(INITIATOR, &port()).await.unwrap();
    let wwn = fabric.identity(first, lun).await.unwrap();
    let slow = fabric.write(first, lun, write(&wwn));
    let replaced = async {
        while array.with(|array, _| array.writes_in_flight()) == 0 {
            tokio::task::yield_now().await;
        }
        fabric.login(INITIATOR, &port()).await.unwrap();
        assert_eq!(array.with(|array, _| array.writes_in_flight()), 0);
    };
    tokio::select! {
        _ = slow => panic!("a write of a session that is gone was answered"),
        () = replaced => {}
    }
    assert_eq!(fabric.identity(first, lun).await, Err(FabricError::NexusLost));
}

#[tokio::test]
async fn an_array_that_is_away_is_no_path() {
    let (_array, server, fabric) = site(Duration::ZERO).await;
    fabric.login(INITIATOR, &port()).await.unwrap();
    drop(server);
    while tokio::net::TcpStream::connect(fabric.server()).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(fabric.login(INITIATOR, &port()).await, Err(FabricError::NoPath));
}
