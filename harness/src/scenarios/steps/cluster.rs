//! Machines, plugins, etcd and links.

use cucumber::{given, then, when};

use super::{Done, Worker, seconds};
use crate::cluster::lab::LabOptions;
use crate::node::NodeOptions;
use crate::scenarios::stage::{Stage, Where};

#[given(regex = r"^a cluster of (\d+) workers?$")]
async fn cluster(stage: &mut Stage, workers: usize) -> Done {
    Ok(stage.set_up(workers).await?)
}

#[given(expr = "a cluster of {int} workers whose kernels find LUNs by themselves")]
async fn scanning_cluster(stage: &mut Stage, workers: usize) -> Done {
    let node = NodeOptions { finds_luns_by_itself: true, ..LabOptions::default().node };
    Ok(stage.set_up_machines(workers, node).await?)
}

#[given(regex = r#"^hpe.conf says "(.+)"$"#)]
async fn setting(stage: &mut Stage, line: String) -> Done {
    Ok(stage.set(&line).await?)
}

#[given(expr = "{worker} loses power")]
#[when(expr = "{worker} loses power")]
async fn loses_power(stage: &mut Stage, worker: Worker) -> Done {
    stage.lab_mut()?.worker_mut(&worker)?.power_off().await;
    Ok(())
}

#[when(expr = "{worker} boots again")]
async fn boots(stage: &mut Stage, worker: Worker) -> Done {
    Ok(stage.lab_mut()?.worker_mut(&worker)?.boot().await?)
}

#[when(expr = "{worker} reboots")]
async fn reboots(stage: &mut Stage, worker: Worker) -> Done {
    stage.no_trouble(&worker)?;
    let worker = stage.lab_mut()?.worker_mut(&worker)?;
    worker.power_off().await;
    Ok(worker.boot().await?)
}

#[given(expr = "the plugin on {worker} is killed")]
#[when(expr = "the plugin on {worker} is killed")]
async fn killed(stage: &mut Stage, worker: Worker) -> Done {
    stage.lab_mut()?.worker_mut(&worker)?.kill_plugin().await;
    Ok(())
}

#[when(expr = "the plugin on {worker} starts again")]
async fn starts_again(stage: &mut Stage, worker: Worker) -> Done {
    Ok(stage.lab_mut()?.worker_mut(&worker)?.start().await?)
}

#[given(expr = "the plugin on {worker} freezes")]
#[when(expr = "the plugin on {worker} freezes")]
async fn freezes(stage: &mut Stage, worker: Worker) -> Done {
    stage.lab()?.worker(&worker)?.freeze_plugin().await;
    Ok(())
}

#[when(expr = "the plugin on {worker} goes on")]
async fn goes_on(stage: &mut Stage, worker: Worker) -> Done {
    stage.lab()?.worker(&worker)?.thaw_plugin();
    Ok(())
}

#[when(expr = "the plugin on {worker} is told to stop")]
async fn told_to_stop(stage: &mut Stage, worker: Worker) -> Done {
    stage.lab()?.worker(&worker)?.terminate_plugin();
    Ok(())
}

#[then(expr = "the plugin on {worker} ends within {int} s")]
async fn ends(stage: &mut Stage, worker: Worker, limit: u64) -> Done {
    match stage.lab_mut()?.worker_mut(&worker)?.plugin_ending(seconds(limit)).await {
        Some(Ok(())) => Ok(()),
        other => Err(anyhow::anyhow!("the plugin ended as {other:?}"))?,
    }
}

#[given(regex = r"^(worker\d+) is cut off from (.+)$")]
#[when(regex = r"^(worker\d+) is cut off from (.+)$")]
async fn cut_off(stage: &mut Stage, worker: String, from: Where) -> Done {
    Ok(stage.cut(&worker, from, true)?)
}

#[given(regex = r"^(worker\d+) is connected to (.+) again$")]
#[when(regex = r"^(worker\d+) is connected to (.+) again$")]
async fn connected(stage: &mut Stage, worker: String, to: Where) -> Done {
    Ok(stage.cut(&worker, to, false)?)
}

#[given(regex = r"^all workers are cut off from (.+)$")]
async fn all_cut_off(stage: &mut Stage, from: Where) -> Done {
    let names: Vec<String> = stage.lab()?.workers().map(|worker| worker.name().to_owned()).collect();
    for name in names {
        stage.cut(&name, from, true)?;
    }
    Ok(())
}

#[given(expr = "etcd is paused")]
async fn etcd_paused(stage: &mut Stage) -> Done {
    Ok(stage.pause_etcd(true)?)
}

#[then(expr = "etcd goes on")]
async fn etcd_goes_on(stage: &mut Stage) -> Done {
    Ok(stage.pause_etcd(false)?)
}

#[when(expr = "etcd is killed and started again")]
async fn etcd_restarted(stage: &mut Stage) -> Done {
    let etcd = stage.lab_mut()?.etcd_mut();
    etcd.kill();
    Ok(etcd.restart().await?)
}
