//! What applications in containers do.

use cucumber::{given, then, when};

use super::{Done, Worker};
use crate::scenarios::holder::Holder;
use crate::scenarios::stage::Stage;

#[given(regex = r"^((?:container|pod) \w+) has written (\d+) records to (\w+)$")]
#[when(regex = r"^((?:container|pod) \w+) has written (\d+) records to (\w+)$")]
#[then(regex = r"^((?:container|pod) \w+) has written (\d+) records to (\w+)$")]
async fn has_written(stage: &mut Stage, holder: Holder, count: usize, _volume: String) -> Done {
    Ok(stage.write(&holder, count).await?)
}

#[given(regex = r"^((?:container|pod) \w+) can write (\d+) records to (\w+)$")]
#[then(regex = r"^((?:container|pod) \w+) can write (\d+) records to (\w+)$")]
async fn can_write(stage: &mut Stage, holder: Holder, count: usize, _volume: String) -> Done {
    Ok(stage.write(&holder, count).await?)
}

#[given(regex = r"^((?:container|pod) \w+) has (\d+) records of (\w+) not yet flushed$")]
async fn leaves_dirty(stage: &mut Stage, holder: Holder, count: usize, _volume: String) -> Done {
    Ok(stage.leave_dirty(&holder, count).await?)
}

#[then(regex = r"^((?:container|pod) \w+) reads all (\d+) records of (\w+)$")]
async fn reads_all(stage: &mut Stage, holder: Holder, count: usize, _volume: String) -> Done {
    Ok(stage.reads_all(&holder, count)?)
}

#[then(regex = r"^((?:container|pod) \w+) reads all records of (\w+) written by ((?:container|pod) \w+)$")]
async fn reads_of(stage: &mut Stage, holder: Holder, _volume: String, writer: Holder) -> Done {
    Ok(stage.reads_acknowledged(&holder, Some(&writer))?)
}

#[then(expr = "no write of {holder} on {worker} is accepted any more")]
async fn write_refused(stage: &mut Stage, holder: Holder, _worker: Worker) -> Done {
    Ok(stage.write_is_refused(&holder).await?)
}

#[then(expr = "the first of them reads all {int} records of {word}")]
async fn first_reads(stage: &mut Stage, count: usize, _volume: String) -> Done {
    let first = stage.noted("first")?;
    Ok(stage.reads_all(&first, count)?)
}

#[then(expr = "every acknowledged record of {word} can be read on the last owner")]
async fn readable_on_last_owner(stage: &mut Stage, volume: String) -> Done {
    stage.all_readable_on_last_owner(&volume).await?;
    Ok(())
}

#[then(expr = "{holder} and {holder} on {worker} share one mount of {word}")]
async fn share(stage: &mut Stage, first: Holder, second: Holder, worker: Worker, volume: String) -> Done {
    Ok(stage.share_one_mount(&first, &second, &worker, &volume).await?)
}

#[given(expr = "unmounting a filesystem on {worker} takes {int} s")]
async fn slow_unmount(stage: &mut Stage, worker: Worker, time: u64) -> Done {
    Ok(stage.trouble(&worker, "unmount", Stage::takes(time))?)
}

#[given(expr = "a process on {worker} keeps {word} busy")]
async fn keeps_busy(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    Ok(stage.linger(&worker, &volume).await?)
}

#[when(expr = "the process on {worker} lets {word} go")]
async fn lets_go(stage: &mut Stage, worker: Worker, volume: String) -> Done {
    Ok(stage.end_lingering(&worker, &volume).await?)
}

#[given(expr = "{holder} on {worker} dies")]
#[when(expr = "{holder} on {worker} dies")]
async fn dies(stage: &mut Stage, holder: Holder, _worker: Worker) -> Done {
    Ok(stage.die(&holder).await?)
}

#[given(expr = "a write of {holder} is held on its way to the array")]
async fn write_held(stage: &mut Stage, holder: Holder) -> Done {
    Ok(stage.hold_write(&holder).await?)
}

#[when(expr = "the held write reaches the array")]
async fn write_released(stage: &mut Stage) -> Done {
    Ok(stage.release_write()?)
}

#[then(expr = "the held write is refused")]
async fn held_write_refused(stage: &mut Stage) -> Done {
    Ok(stage.held_write_was_refused()?)
}
