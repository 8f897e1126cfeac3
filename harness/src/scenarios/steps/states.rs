//! What record and machines show.

use cucumber::{given, then, when};

use super::{Done, Worker, require, seconds};
use crate::scenarios::stage::Stage;

#[then(expr = "{worker} owns {word}")]
async fn owns(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    Ok(stage.owns(&worker, &volume).await?)
}

#[then(expr = "{worker} owns {word} or the mount has taken it back")]
async fn owns_or_taken_back(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    let owner: &str = if stage.last()?.answer.is_ok() { "worker1" } else { &worker };
    Ok(stage.owns(owner, &volume).await?)
}

#[then(regex = r"^nobody owns (\w+)(?: within (\d+) s)?$")]
async fn nobody_owns(stage: &mut Stage, volume: String, limit: String) -> Done {
    Ok(stage.nobody_owns(&volume, limit.parse().map_or(seconds(5), seconds)).await?)
}

#[when(expr = "{worker} waits for {word}")]
async fn waits(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    Ok(stage.waits_for(&worker, &volume).await?)
}

#[given(expr = "{worker} has claimed {word}")]
async fn has_claimed(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    Ok(stage.has_claimed(&worker, &volume).await?)
}

#[given(expr = "{worker} is releasing {word}")]
async fn is_releasing(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    Ok(stage.is_releasing(&worker, &volume).await?)
}

#[then(regex = r"^(worker\d+) is (not )?in quarantine for (\w+)(?: within (\d+) s)?$")]
async fn quarantine(stage: &mut Stage, worker: String, not: String, volume: String, limit: String) -> Done {
    let limit = limit.parse().map_or(seconds(5), seconds);
    Ok(stage.quarantined(&worker, &volume, not.is_empty(), limit).await?)
}

#[then(regex = r"^(worker\d+) has no mount and no device of (\w+)(?: within (\d+) s)?$")]
async fn clean(stage: &mut Stage, worker: String, volume: String, limit: String) -> Done {
    Ok(stage.is_clean(&worker, &volume, limit.parse().map_or(seconds(5), seconds)).await?)
}

#[then(regex = r"^(worker\d+) has (\w+) no longer mounted(?: within (\d+) s)?$")]
async fn no_longer_mounted(stage: &mut Stage, worker: String, volume: String, limit: String) -> Done {
    Ok(stage.no_longer_mounted(&worker, &volume, limit.parse().map_or(seconds(1), seconds)).await?)
}

#[then(expr = "{worker} has not begun to release {word}")]
async fn not_releasing(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    Ok(stage.never_began_to_release(&worker, &volume).await?)
}

#[then(expr = "{word} is owned by {worker} for as long as {worker} has it mounted")]
async fn owned_while_mounted(stage: &mut Stage, volume: String, worker: Worker, _same: Worker) -> Done {
    Ok(stage.owned_while_mounted(&worker, &volume).await?)
}

#[then(expr = "a filesystem was made on {word} exactly once")]
async fn made_once(stage: &mut Stage, volume: String) -> Done {
    made(stage, &volume, 1).await
}

#[then(expr = "a filesystem was made on {word} exactly {int} times")]
async fn made_times(stage: &mut Stage, volume: String, times: usize) -> Done {
    made(stage, &volume, times).await
}

async fn made(stage: &Stage, volume: &str, times: usize) -> Done {
    let made = stage.filesystems_made(volume).await?;
    require(made == times, || format!("a filesystem was made {made} times"))
}

#[then(expr = "{worker} shows the mount point of {word}")]
async fn shows(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    Ok(stage.shows_mount_point(&worker, &volume, true).await?)
}

#[then(expr = "{worker} shows {word} without a mount point")]
async fn shows_not(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    Ok(stage.shows_mount_point(&worker, &volume, false).await?)
}

#[then(regex = r"^the list of volumes on (worker\d+) has (\S+)$")]
async fn listed(stage: &mut Stage, worker: String, volume: String) -> Done {
    let names = stage.client(&worker)?.list().await?;
    require(names.contains(&volume), || format!("the list is {names:?}"))
}

#[then(expr = "the scope of the driver is global")]
async fn scope(stage: &mut Stage) -> Done {
    let scope = stage.client("worker1")?.scope().await?;
    require(scope == "global", || format!("the scope is '{scope}'"))
}

#[then(expr = "{worker} does not know {word} any more")]
async fn unknown(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    Ok(stage.does_not_know(&worker, &volume).await?)
}
