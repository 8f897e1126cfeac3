//! What the client concludes from each way a command can end, and that it sends nothing twice.

use std::sync::Arc;
use std::time::Duration;

use super::scripted_server::{Reply, ScriptedServer};
use crate::array::cli::Cli;
use crate::array::{ArrayError, Export, ExportTarget, Lun};

const LONG: Duration = Duration::from_secs(30);
/// Enough for a login in a debug build on a busy machine, and short enough to wait for.
const SHORT: Duration = Duration::from_secs(3);

const LISTING: &str = "Active VLUNs\nno vluns listed\n\nVLUN Templates\n\
    Lun,VVName,HostName,-Host_WWN/iSCSI_Name-,Port,Type\n5,v,worker1,----------------,---,host\n-----\n1,total,,,,\n";

fn export() -> Export {
    Export {
        volume: "v".parse().unwrap(),
        lun: Lun::try_from(5).unwrap(),
        to: ExportTarget::Host("worker1".parse().unwrap()),
    }
}

async fn removing(reply: Reply, deadline: Duration) -> (ScriptedServer, Result<(), ArrayError>) {
    let server = ScriptedServer::start(move |_, _| reply.clone()).await;
    let client = server.client(deadline);
    let result = client.unexport(&export()).await;
    (server, result)
}

#[tokio::test]
async fn a_removal_without_a_proper_end_is_unknown_and_sent_once() {
    for (reply, deadline) in [
        (Reply::Hang(""), SHORT),
        (Reply::Hang("Issuing removevlun v 5 worker1\n"), SHORT),
        (Reply::Cut("Issuing removevlun v 5 worker1\n"), LONG),
        (Reply::Text("", None), LONG),
        (Reply::Flood, LONG),
    ] {
        let (server, result) = removing(reply.clone(), deadline).await;
        assert!(result.as_ref().is_err_and(ArrayError::is_unknown), "{reply:?}: {result:?}");
        assert_eq!(server.seen().commands, ["removevlun -f v 5 worker1"], "{reply:?}");
    }
}

#[tokio::test]
async fn the_ends_that_are_proper() {
    for reply in [
        Reply::Text("", Some(0)),
        Reply::Text("Issuing removevlun v 5 worker1\n", Some(0)),
        Reply::Open("Issuing removevlun v 5 worker1\n", 0),
    ] {
        let (_, result) = removing(reply.clone(), LONG).await;
        assert_eq!(result, Ok(()), "{reply:?}");
    }
    let (_, error) = removing(Reply::Text("Error: it is locked\n", Some(0)), LONG).await;
    assert!(matches!(error, Err(ArrayError::Refused { .. })), "{error:?}");
    let (_, absent) = removing(Reply::Text("no matching vluns\n", Some(1)), LONG).await;
    assert!(absent.is_err_and(|e| e.is_not_found()));
    let (_, busy) = removing(Reply::NotStarted, LONG).await;
    assert!(matches!(busy, Err(ArrayError::Busy { .. })), "{busy:?}");
}

#[tokio::test]
async fn a_listing_is_read_and_half_a_listing_is_not() {
    let server = ScriptedServer::start(|_, before| match before {
        0 => Reply::Text(LISTING, Some(0)),
        1 => Reply::Text(&LISTING[..LISTING.len() - 12], Some(0)),
        2 => Reply::Text("", Some(0)),
        _ => Reply::Cut(&LISTING[..60]),
    })
    .await;
    let client = server.client(LONG);
    let volume = "v".parse().unwrap();
    assert_eq!(client.exports_of(&volume).await.map(|rows| rows.len()), Ok(1));
    for _ in 0..3 {
        assert!(client.exports_of(&volume).await.is_err_and(|e| e.is_unknown()));
    }
    assert_eq!(server.seen().commands[0], "showvlun -csvtable -v v");
}

#[tokio::test]
async fn one_connection_serves_many_commands_and_a_lost_one_is_made_anew() {
    let server = ScriptedServer::start(|_, before| match before {
        3 => Reply::Cut(""),
        _ => Reply::Text("", Some(0)),
    })
    .await;
    let client = server.client(LONG);
    for _ in 0..3 {
        client.unexport(&export()).await.unwrap();
    }
    assert_eq!(server.seen().connections, 1);
    assert!(client.unexport(&export()).await.is_err_and(|e| e.is_unknown()));
    client.unexport(&export()).await.unwrap();
    let seen = server.seen();
    assert_eq!((seen.connections, seen.commands.len()), (2, 5));
}

#[tokio::test]
async fn a_connection_on_which_a_command_hung_is_not_used_again() {
    let server =
        ScriptedServer::start(|_, before| if before == 0 { Reply::Hang("") } else { Reply::Text("", Some(0)) }).await;
    let client = server.client(SHORT);
    assert!(client.unexport(&export()).await.is_err_and(|e| e.is_unknown()));
    client.unexport(&export()).await.unwrap();
    assert_eq!(server.seen().connections, 2);
}

#[tokio::test]
async fn no_more_commands_at_once_than_allowed() {
    let server = ScriptedServer::start(|_, _| Reply::Hang("")).await;
    let client: Arc<Cli> = Arc::new(server.client(LONG));
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.unexport(&export()).await })
        })
        .collect();
    server.wait_for_commands(2).await;
    // The third would have come with the others, over the same connection; a fourth call shows that it waits.
    let waited = tokio::time::timeout(Duration::from_millis(200), client.unexport(&export())).await;
    assert!(waited.is_err());
    {
        let seen = server.seen();
        assert_eq!((seen.commands.len(), seen.connections), (2, 1));
    }
    for call in calls {
        call.abort();
    }
}

#[tokio::test]
async fn closing_lets_the_next_command_connect_again() {
    let server = ScriptedServer::start(|_, _| Reply::Text("", Some(0))).await;
    let client = server.client(LONG);
    client.unexport(&export()).await.unwrap();
    client.close(LONG).await;
    client.close(LONG).await;
    client.unexport(&export()).await.unwrap();
    assert_eq!(server.seen().connections, 2);
}
