//! Workers that are started with something wrong.

use cucumber::{given, then, when};

use super::{Done, Worker};
use crate::scenarios::stage::{Stage, WrongConfiguration};

#[when(regex = r"^(worker\d+) is started with an hpe.conf that (.+)$")]
async fn broken_file(stage: &mut Stage, worker: String, what: String) -> Done {
    let wrong = match what.as_str() {
        "has no hpe3par_api_url" => WrongConfiguration::Without("hpe3par_api_url"),
        "has a line that is no setting" => WrongConfiguration::Line("this line is no setting"),
        "has a port that is no number" => WrongConfiguration::Set("san_ssh_port", "twenty-two"),
        "has a delay of minus one" => WrongConfiguration::Set("mount_conflict_delay", "-1"),
        "is missing" => WrongConfiguration::Missing,
        other => Err(anyhow::anyhow!("no file is known that '{other}'"))?,
    };
    Ok(stage.launch_misconfigured(&worker, wrong).await?)
}

#[given(regex = r"^(worker\d+) is started with (?:the|a) (.+)$")]
#[when(regex = r"^(worker\d+) is started with (?:the|a) (node id of .+)$")]
async fn wrong_identity(stage: &mut Stage, worker: String, what: String) -> Done {
    let wrong = match what.as_str() {
        "known host key of another array" => WrongConfiguration::HostKey,
        "certificate authority of somebody else" => WrongConfiguration::Authority,
        "wrong password" => WrongConfiguration::Password,
        "node id of worker1" => WrongConfiguration::NodeIdOf("worker1"),
        other => Err(anyhow::anyhow!("nothing is known as '{other}'"))?,
    };
    Ok(stage.launch_misconfigured(&worker, wrong).await?)
}

#[when(expr = "{worker} is started again after a newer plugin has changed the records")]
async fn newer_records(stage: &mut Stage, worker: Worker) -> Done {
    Ok(stage.launch_beside_newer_records(&worker).await?)
}

#[then(regex = r#"^the plugin on (worker\d+) refuses to start and names "(.+)"$"#)]
async fn refuses_to_start(stage: &mut Stage, worker: String, words: String) -> Done {
    Ok(stage.refused_to_start(&worker, &[&words]).await?)
}

#[then(expr = "{worker} refuses to work and names both machines")]
async fn refuses_to_work(stage: &mut Stage, worker: Worker) -> Done {
    Ok(stage.refused_to_start(&worker, &["worker1", "worker2"]).await?)
}

#[then(expr = "{worker} never logged in over SSH")]
async fn never_logged_in(stage: &mut Stage, worker: Worker) -> Done {
    Ok(stage.never_used_ssh(&worker)?)
}
