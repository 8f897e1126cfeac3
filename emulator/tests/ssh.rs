//! The command line over real SSH connections.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{sync::Arc, time::Duration};

use hpe3par_emulator::{
    array::Channel,
    faults::{FaultKind, FaultRule},
};
use russh::keys::{Algorithm, PrivateKey, PrivateKeyWithHashAlg};
use support::{DEADLINE, Printed, exec, export, exports, read_all, shell, ssh, ssh_connect, start_plain};

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let running = start_plain().await;
    for (user, password) in [("3paradm", "wrong"), ("nobody", "3pardata"), ("", "")] {
        let mut connection = ssh_connect(&running).await.unwrap();
        assert!(!connection.authenticate_password(user, password).await.unwrap().success());
    }
}

#[tokio::test]
async fn a_key_logs_in_once_it_is_set() {
    let running = start_plain().await;
    let key = Arc::new(PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap());
    let log_in = async |user: &str| {
        let mut connection = ssh_connect(&running).await.unwrap();
        let key = PrivateKeyWithHashAlg::new(Arc::clone(&key), None);
        let accepted = connection.authenticate_publickey(user, key).await.unwrap().success();
        (connection, accepted)
    };
    assert!(!log_in("3paradm").await.1);
    let line = key.public_key().to_openssh().unwrap();
    let connection = ssh(&running).await;
    let set = exec(&connection, "setsshkey", &format!("{line}\n\n")).await;
    assert!(set.text.ends_with("SSH public key successfully set!\n"), "{}", set.text);
    let (by_key, accepted) = log_in("3paradm").await;
    assert!(accepted && !log_in("nobody").await.1);
    let listed = exec(&by_key, "showuserconn -nohdtot", "").await.text;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert_eq!(exec(&by_key, "showuserconn -current -nohdtot", "").await.text.lines().count(), 1);
    assert_eq!(exec(&by_key, "removesshkey -f", "").await.status, Some(0));
    assert!(!log_in("3paradm").await.1);
}

#[tokio::test]
async fn a_single_command_prints_plain_lines_and_ends_with_a_status() {
    let running = start_plain().await;
    export(running.handle());
    let connection = ssh(&running).await;
    let listed = exec(&connection, "showvlun -t", "").await;
    assert_eq!(
        listed.text,
        "\
Lun VVName HostName -Host_WWN/iSCSI_Name- Port Type
  7 v1     h1       ----------------       --- host
---------------------------------------------------
  1 total
"
    );
    assert_eq!(listed.status, Some(0));
    let unknown = exec(&connection, "nonsense", "").await;
    assert_eq!(unknown, Printed { text: "invalid command name \"nonsense\"\n".to_owned(), status: Some(1) });
    assert_eq!(exec(&connection, "removevlun -f v1 8 h1", "").await.status, Some(1));
    let removed = exec(&connection, "removevlun -f v1 7 h1", "").await;
    assert_eq!(removed, Printed { text: "Issuing removevlun v1 7 h1\n".to_owned(), status: Some(0) });
    assert_eq!(exports(running.handle()), 0);
}

#[tokio::test]
async fn the_shell_echoes_as_clients_count() {
    let running = start_plain().await;
    export(running.handle());
    let connection = ssh(&running).await;
    let typed = "setclienv csvtable 1\nshowvlun -t -v v1\nexit\n";
    let expected = "\
setclienv csvtable 1\r
showvlun -t -v v1\r
exit\r
emulated3par cli% setclienv csvtable 1\r
emulated3par cli% showvlun -t -v v1\r
Lun,VVName,HostName,-Host_WWN/iSCSI_Name-,Port,Type\r
7,v1,h1,----------------,---,host\r
---------------------------------------------------\r
1,total,,,,\r
emulated3par cli% exit\r
";
    // Again and again, because the order of the echoes must not depend on timing.
    for _ in 0..20 {
        let printed = shell(&connection, typed).await;
        assert_eq!(printed, Printed { text: expected.to_owned(), status: Some(0) });
    }
}

#[tokio::test]
async fn a_person_at_the_prompt_sees_each_key_once() {
    let running = start_plain().await;
    export(running.handle());
    let connection = ssh(&running).await;
    let mut channel = connection.channel_open_session().await.unwrap();
    channel.request_pty(false, "vt100", 80, 24, 0, 0, &[]).await.unwrap();
    channel.request_shell(true).await.unwrap();
    // The prompt comes by itself when nothing is typed.
    let mut screen = String::new();
    while !screen.ends_with("cli% ") {
        let message = tokio::time::timeout(DEADLINE, channel.wait()).await.unwrap().unwrap();
        if let russh::ChannelMsg::Data { data } = message {
            screen.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
    for piece in ["remov", "evlun v1", " 7 h1\r", "y\r", "exit\r"] {
        channel.data_bytes(piece.as_bytes().to_vec()).await.unwrap();
    }
    let printed = read_all(channel).await;
    assert_eq!(
        printed.text,
        "\
removevlun v1 7 h1\r
Are you sure you want to run removevlun v1 7 h1?\r
select q=quit y=yes n=no: y\r
Issuing removevlun v1 7 h1\r
emulated3par cli% exit\r
"
    );
    assert_eq!(exports(running.handle()), 0);
}

#[tokio::test]
async fn a_question_of_a_single_command_is_answered_from_its_input() {
    let running = start_plain().await;
    export(running.handle());
    let connection = ssh(&running).await;
    for (answer, left) in [("n\n", 1), ("y\n", 0)] {
        exec(&connection, "removevlun v1 7 h1", answer).await;
        assert_eq!(exports(running.handle()), left);
    }
}

#[tokio::test]
async fn many_channels_run_at_once_on_one_connection() {
    let running = start_plain().await;
    export(running.handle());
    let connection = ssh(&running).await;
    let printed = futures::future::join_all((0..20).map(|_| exec(&connection, "showvlun -t", ""))).await;
    assert!(printed.iter().all(|one| *one == printed[0] && one.status == Some(0)));
}

#[tokio::test]
async fn a_connection_serves_any_number_of_commands_one_after_the_other() {
    let running = start_plain().await;
    let connection = ssh(&running).await;
    for _ in 0..80 {
        assert_eq!(exec(&connection, "showvlun -t", "").await.status, Some(0));
    }
}

fn add(running: &hpe3par_emulator::server::RunningEmulator, operation: &str, fault: FaultKind, after: bool) {
    let rule = FaultRule::new(Some(Channel::Cli), operation, fault);
    let rule = if after { rule.after_effect() } else { rule };
    running.handle().with_faults(|plan| plan.add(rule));
}

#[tokio::test]
async fn an_answer_lost_after_the_effect_is_a_channel_without_status() {
    let running = start_plain().await;
    export(running.handle());
    add(&running, "removevlun", FaultKind::Reset, true);
    let connection = ssh(&running).await;
    let printed = exec(&connection, "removevlun -f v1 7 h1", "").await;
    assert_eq!(printed, Printed { text: String::new(), status: None });
    assert_eq!(exports(running.handle()), 0);
}

#[tokio::test]
async fn truncated_output_ends_without_status() {
    let running = start_plain().await;
    export(running.handle());
    add(&running, "showvlun", FaultKind::Truncate { bytes: 30 }, false);
    let connection = ssh(&running).await;
    let printed = exec(&connection, "showvlun -t", "").await;
    assert_eq!(printed, Printed { text: "Lun VVName HostName -Host_WWN/".to_owned(), status: None });
}

#[tokio::test]
async fn a_hanging_command_leaves_other_channels_alone() {
    let running = start_plain().await;
    export(running.handle());
    add(&running, "removevlun", FaultKind::Hang, false);
    let connection = ssh(&running).await;
    let hanging = exec(&connection, "removevlun -f v1 7 h1", "");
    assert!(tokio::time::timeout(Duration::from_millis(300), hanging).await.is_err());
    assert_eq!(exec(&connection, "showvlun -t", "").await.status, Some(0));
    assert_eq!(exports(running.handle()), 1);
}

#[tokio::test]
async fn a_wrong_prompt_appears_once() {
    let running = start_plain().await;
    add(&running, "showversion", FaultKind::WrongPrompt { prompt: "Password: ".to_owned() }, false);
    let printed = shell(&ssh(&running).await, "showversion -s\nshowversion -b\nexit\n").await;
    assert!(printed.text.contains("\r\n3.3.1.460\r\nPassword: showversion -b"), "{}", printed.text);
}

#[tokio::test]
async fn the_command_line_can_be_cut_off_and_come_back() {
    let running = start_plain().await;
    let connection = ssh(&running).await;
    running.pause_ssh().await.unwrap();
    assert!(ssh_connect(&running).await.is_err());
    let mut waited = Duration::ZERO;
    while !connection.is_closed() {
        assert!(waited < DEADLINE, "the old connection must break");
        tokio::time::sleep(Duration::from_millis(10)).await;
        waited += Duration::from_millis(10);
    }
    running.resume_ssh().await.unwrap();
    assert_eq!(exec(&ssh(&running).await, "showversion -s", "").await.text, "3.3.1.460\n");
}

#[tokio::test]
async fn the_host_key_follows_the_seed() {
    let key = start_plain().await.ssh_host_key().to_owned();
    assert_eq!(start_plain().await.ssh_host_key(), key);
}
