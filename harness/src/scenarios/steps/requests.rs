//! Requests that no engine sends.

use bytes::Bytes;
use cucumber::gherkin::Step;
use cucumber::{then, when};

use super::{Done, Worker, require};
use crate::scenarios::stage::Stage;

#[when(regex = r#"^(worker\d+) is sent "(.+)" with the body$"#)]
async fn send(stage: &mut Stage, worker: String, endpoint: String, step: &Step) -> Done {
    let body = step.docstring().map(|text| text.trim().to_owned()).unwrap_or_default();
    stage.note_everything().await?;
    Ok(stage.send_raw(&worker, &endpoint, Bytes::from(body)).await?)
}

#[when(expr = "{worker} is sent a mount request of {int} MiB")]
async fn send_huge(stage: &mut Stage, worker: Worker, size: usize) -> Done {
    let body = format!(r#"{{"Name": "db", "ID": "{}"}}"#, "0".repeat(size << 20));
    stage.note_everything().await?;
    Ok(stage.send_raw(&worker, "VolumeDriver.Mount", Bytes::from(body)).await?)
}

#[then(expr = "the answer is an error and no volume changed")]
async fn error_without_effect(stage: &mut Stage) -> Done {
    stage.raw_is_error()?;
    Ok(stage.nothing_changed().await?)
}

#[then(expr = "the answer is a mount point")]
async fn mount_point(stage: &mut Stage) -> Done {
    let point = stage.raw_is_success()?;
    require(point.is_some_and(|point| point.starts_with('/')), || "there is no mount point in it".to_owned())
}

#[then(expr = "the answer is no error")]
async fn no_error(stage: &mut Stage) -> Done {
    stage.raw_is_success()?;
    Ok(())
}
