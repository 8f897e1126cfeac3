//! Volumes: created, mounted, unmounted, removed.

use cucumber::{given, then, when};

use super::{Done, Worker, seconds};
use crate::cluster::docker_client::Dialect;
use crate::scenarios::holder::Holder;
use crate::scenarios::stage::{Patience, Request, Stage};

#[given(expr = "a volume {word}")]
async fn a_volume(stage: &mut Stage, volume: String) -> Done {
    Ok(stage.create(&volume, &[]).await?)
}

#[given(expr = "a volume {word} with a conflict delay of {int} s")]
async fn volume_with_delay(stage: &mut Stage, volume: String, delay: u64) -> Done {
    Ok(stage.create(&volume, &[("mountConflictDelay", &delay.to_string())]).await?)
}

#[given(expr = "the earlier plugin left a snapshot {word} of {word}")]
async fn a_snapshot(stage: &mut Stage, snapshot: String, volume: String) -> Done {
    Ok(stage.leave_snapshot(&snapshot, &volume).await?)
}

#[given(expr = "the record of {word} is in the form of the earlier plugin")]
async fn old_record(stage: &mut Stage, volume: String) -> Done {
    Ok(stage.write_record_of_earlier_plugin(&volume).await?)
}

#[then(expr = "the record of {word} still has what the earlier plugin wrote")]
async fn foreign_fields(stage: &mut Stage, volume: String) -> Done {
    Ok(stage.foreign_fields_kept(&volume).await?)
}

#[when(expr = "{worker} creates volume {word} as dory does")]
async fn create_as_dory(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    Ok(stage.ask_create_as(Dialect::Dory, &worker, &volume).await?)
}

#[when(expr = "all workers create volume {word} at once")]
async fn create_everywhere(stage: &mut Stage, volume: String) -> Done {
    Ok(stage.create_everywhere(&volume).await?)
}

#[when(expr = "{worker} creates volume {word}")]
async fn create(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    Ok(stage.ask_create_as(Dialect::Dockerd, &worker, &volume).await?)
}

#[when(expr = "{worker} creates a volume whose name has {int} characters")]
async fn create_long(stage: &mut Stage, worker: Worker, length: usize) -> Done {
    Ok(stage.ask_create_as(Dialect::Dockerd, &worker, &"n".repeat(length)).await?)
}

#[when(expr = "{worker} removes {word}")]
async fn remove(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    Ok(stage.ask_remove(&worker, &volume).await?)
}

#[given(expr = "{holder} on {worker} has {word} mounted")]
async fn has_mounted(stage: &mut Stage, holder: Holder, worker: Worker, volume: String) -> Done {
    Ok(stage.have_mounted(&holder, &worker, &volume).await?)
}

#[given(expr = "{holder} on {worker} mounts {word}")]
#[when(expr = "{holder} on {worker} mounts {word}")]
async fn mounts(stage: &mut Stage, holder: Holder, worker: Worker, volume: String) -> Done {
    Ok(stage.mount(&holder, &worker, &volume, Patience::Once).await?)
}

#[when(expr = "{holder} on {worker} mounts {word} until it succeeds")]
async fn mounts_until(stage: &mut Stage, holder: Holder, worker: Worker, volume: String) -> Done {
    Ok(stage.mount(&holder, &worker, &volume, Patience::UntilItSucceeds).await?)
}

#[when(expr = "{holder} on {worker} mounts {word} with a limit of {int} s")]
async fn mounts_with_limit(stage: &mut Stage, holder: Holder, worker: Worker, volume: String, limit: u64) -> Done {
    Ok(stage.mount(&holder, &worker, &volume, Patience::Limited(seconds(limit))).await?)
}

#[given(expr = "{holder} on {worker} begins to mount {word}")]
#[when(expr = "{holder} on {worker} begins to mount {word}")]
#[when(expr = "{holder} on {worker} begins to mount {word} again")]
async fn begins_to_mount(stage: &mut Stage, holder: Holder, worker: Worker, volume: String) -> Done {
    Ok(stage.begin_mount(&holder, &worker, &volume)?)
}

#[given(expr = "{holder} on {worker} stops")]
#[when(expr = "{holder} on {worker} stops")]
async fn stops(stage: &mut Stage, holder: Holder, worker: Worker) -> Done {
    Ok(stage.stop(&holder, &worker).await?)
}

#[when(expr = "{holder} on {worker} stops {int} times")]
async fn stops_often(stage: &mut Stage, holder: Holder, worker: Worker, times: usize) -> Done {
    for _ in 0..times {
        stage.stop(&holder, &worker).await?;
        stage.succeeded(None)?;
    }
    Ok(())
}

#[given(expr = "{holder} on {worker} begins to stop")]
#[when(expr = "{holder} on {worker} begins to stop")]
async fn begins_to_stop(stage: &mut Stage, holder: Holder, worker: Worker) -> Done {
    Ok(stage.begin_stop(&holder, &worker).await?)
}

#[then(expr = "the stop of {holder} is answered within {int} s")]
async fn stop_answered(stage: &mut Stage, holder: Holder, limit: u64) -> Done {
    Ok(stage.await_stop(&holder, seconds(limit)).await?)
}

#[when(regex = r"^docker cp (mounts|unmounts) (\w+) for (container [a-z]+) on (worker\d+)$")]
async fn docker_cp(stage: &mut Stage, request: String, _volume: String, holder: Holder, worker: String) -> Done {
    let request = if request == "mounts" { Request::Mount } else { Request::Unmount };
    Ok(stage.docker_cp(&holder, &worker, request).await?)
}

#[when(expr = "{holder} on {worker} mounts and unmounts {word} {int} times")]
async fn comes_and_goes(stage: &mut Stage, holder: Holder, worker: Worker, volume: String, times: usize) -> Done {
    Ok(stage.come_and_go(&holder, &worker, &volume, times).await?)
}

#[when(expr = "{word} moves between {worker} and {worker} {int} times with a dirty cache left behind each time")]
async fn to_and_fro(stage: &mut Stage, volume: String, one: Worker, other: Worker, times: usize) -> Done {
    Ok(stage.to_and_fro(&volume, [&one, &other], times).await?)
}

#[when(expr = "containers on {worker} and {worker} take {word} from each other {int} times")]
async fn fight(stage: &mut Stage, one: Worker, other: Worker, volume: String, times: usize) -> Done {
    Ok(stage.fight(&volume, [&one, &other], times).await?)
}

#[when(expr = "the loser mounts {word} once more")]
async fn loser_asks(stage: &mut Stage, volume: String) -> Done {
    Ok(stage.loser_asks(&volume).await?)
}
