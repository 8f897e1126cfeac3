//! The array: its faults, and what administrators do to it.

use cucumber::{given, then, when};
use hpe3par_emulator::array::Channel;
use hpe3par_emulator::faults::{FaultKind, FaultRule, Trigger};

use super::{Done, Worker, require, seconds};
use crate::scenarios::stage::Stage;

#[given(expr = "the array takes {int} s for every export")]
async fn slow_export(stage: &mut Stage, time: u64) -> Done {
    let fault = FaultKind::Delay { delay_ms: time * 1000 };
    stage.fault(FaultRule::new(Some(Channel::Wsapi), "POST /vluns", fault))?;
    Ok(())
}

#[given(expr = "the next export on the array takes {int} s")]
async fn slow_once(stage: &mut Stage, time: u64) -> Done {
    Ok(stage.delay_next_export(seconds(time))?)
}

#[given(expr = "the array is busy with the export")]
async fn busy_with_export(stage: &mut Stage) -> Done {
    Ok(stage.export_has_come().await?)
}

#[given(expr = "the next export on the array is carried out but its answer is lost")]
async fn answer_lost(stage: &mut Stage) -> Done {
    let rule = FaultRule::new(Some(Channel::Wsapi), "POST /vluns", FaultKind::Reset).on(Trigger::first(1));
    stage.fault(rule.after_effect())?;
    Ok(())
}

#[given(expr = "the next export on the array is answered with {int}")]
async fn export_answered_with(stage: &mut Stage, status: u16) -> Done {
    let fault = FaultKind::HttpStatus { status };
    stage.fault(FaultRule::new(Some(Channel::Wsapi), "POST /vluns", fault).on(Trigger::first(1)))?;
    Ok(())
}

#[given(expr = "the next export on the array is held back")]
async fn export_held(stage: &mut Stage) -> Done {
    Ok(stage.hold_next_export()?)
}

#[given(expr = "the array holds an export of {word} back")]
#[when(expr = "the array holds an export of {word} back")]
async fn export_is_held(stage: &mut Stage, volume: String) -> Done {
    Ok(stage.export_is_held(&volume).await?)
}

#[when(expr = "the held export takes effect")]
async fn held_takes_effect(stage: &mut Stage) -> Done {
    Ok(stage.held_export_takes_effect()?)
}

#[given(expr = "the next removal of an export is held back")]
async fn removal_held(stage: &mut Stage) -> Done {
    Ok(stage.hold_next_removal()?)
}

#[given(expr = "the array holds a removal of {word} back")]
async fn removal_is_held(stage: &mut Stage, volume: String) -> Done {
    Ok(stage.removal_is_held(&volume).await?)
}

#[when(expr = "the held removal takes effect")]
async fn held_removal_takes_effect(stage: &mut Stage) -> Done {
    Ok(stage.held_removal_takes_effect()?)
}

#[given(expr = "the array removes exports {int} s after it said so")]
async fn slow_removal(stage: &mut Stage, time: u64) -> Done {
    let fault = FaultKind::SlowRemoval { delay_ms: time * 1000 };
    stage.fault(FaultRule::new(Some(Channel::Cli), "removevlun", fault.clone()))?;
    stage.fault(FaultRule::new(Some(Channel::Wsapi), "DELETE /vluns/*", fault))?;
    Ok(())
}

#[given(expr = "removevlun on the command line does nothing")]
async fn lying_removal(stage: &mut Stage) -> Done {
    stage.fault(FaultRule::new(Some(Channel::Cli), "removevlun", FaultKind::LyingRemoval))?;
    Ok(())
}

#[given(expr = "the array answers the next {int} requests with {int}")]
async fn busy(stage: &mut Stage, count: u64, status: u16) -> Done {
    stage
        .fault(FaultRule::new(Some(Channel::Wsapi), "", FaultKind::HttpStatus { status }).on(Trigger::first(count)))?;
    Ok(())
}

#[given(expr = "everything {worker} sends to the array is held back")]
async fn hold_back(stage: &mut Stage, worker: Worker) -> Done {
    Ok(stage.hold_back(&worker, true)?)
}

#[when(expr = "everything {worker} sends to the array passes again")]
async fn passes_again(stage: &mut Stage, worker: Worker) -> Done {
    Ok(stage.hold_back(&worker, false)?)
}

#[given(expr = "an administrator removes every export of {word}")]
async fn remove_exports(stage: &mut Stage, volume: String) -> Done {
    stage.by_hand();
    let name = stage.array_name(&volume).await?;
    Ok(stage.lab()?.on_array().remove_exports(&name)?)
}

#[given(regex = r"^an administrator exports (\w+) to (?:host )?(\w+)$")]
async fn export_by_hand(stage: &mut Stage, volume: String, host: String) -> Done {
    stage.by_hand();
    let (name, array) = (stage.array_name(&volume).await?, stage.lab()?.on_array());
    array.allow_several_hosts(&name)?;
    // A worker that never mounted anything is not yet known to the array.
    let known = stage.lab()?.worker(&host).map(|worker| worker.node().identity().iqn.clone());
    Ok(array.export_to(&name, &host, known.ok().as_deref())?)
}

#[given(expr = "an administrator makes the initiator of {worker} one of host {word}")]
async fn share_host(stage: &mut Stage, worker: Worker, host: String) -> Done {
    stage.by_hand();
    let iqn = stage.lab()?.worker(&worker)?.node().identity().iqn.clone();
    Ok(stage.lab()?.on_array().add_initiator(&host, &iqn)?)
}

#[then(expr = "an administrator takes the initiator of {worker} out of host {word}")]
async fn unshare_host(stage: &mut Stage, worker: Worker, host: String) -> Done {
    let iqn = stage.lab()?.worker(&worker)?.node().identity().iqn.clone();
    Ok(stage.lab()?.on_array().remove_initiator(&host, &iqn)?)
}

#[then(expr = "an administrator removes the export of {word} to host {word}")]
async fn unexport_by_hand(stage: &mut Stage, volume: String, host: String) -> Done {
    let name = stage.array_name(&volume).await?;
    Ok(stage.lab()?.on_array().remove_exports_to(&name, &host)?)
}

#[given(expr = "an administrator removes {word} from the array by force")]
async fn remove_by_force(stage: &mut Stage, volume: String) -> Done {
    stage.by_hand();
    stage.forget_acknowledged(&volume);
    let name = stage.array_name(&volume).await?;
    Ok(stage.lab()?.on_array().remove_volume(&name)?)
}

#[given(expr = "the record of {word} was emptied by hand")]
async fn record_emptied(stage: &mut Stage, volume: String) -> Done {
    stage.by_hand();
    Ok(stage.empty_record(&volume).await?)
}

#[given(expr = "an administrator unmounts {word} on {worker} by hand")]
async fn unmounted_by_hand(stage: &mut Stage, volume: String, worker: Worker) -> Done {
    Ok(stage.unmount_by_hand(&volume, &worker).await?)
}

#[given(expr = "{worker} has a stale device of another volume at its next LUN number")]
async fn stale_device(stage: &mut Stage, worker: Worker) -> Done {
    Ok(stage.leave_stale_device(&worker).await?)
}

#[given(expr = "{worker} is shown volume {word} at whatever LUN number it gets")]
async fn shown_another_volume(stage: &mut Stage, worker: Worker, other: String) -> Done {
    Ok(stage.show_another_volume(&worker, &other).await?)
}

#[when(expr = "{worker} is shown what the array exports and volume {word} no more")]
async fn shown_what_is_exported(stage: &mut Stage, worker: Worker, other: String) -> Done {
    Ok(stage.show_what_is_exported(&worker, &other).await?)
}

#[when(expr = "the array's requests are counted")]
async fn count(stage: &mut Stage) -> Done {
    Ok(stage.count_requests()?)
}

#[then(expr = "the array was asked nothing")]
async fn asked_nothing(stage: &mut Stage) -> Done {
    Ok(stage.asked_nothing()?)
}

#[then(expr = "the array has one volume for {word}")]
async fn one_volume(stage: &mut Stage, volume: String) -> Done {
    let (name, array) = (stage.array_name(&volume).await?, stage.lab()?.on_array());
    require(array.volumes() == [name.clone()], || {
        format!("the array has {:?}, the record says {name}", array.volumes())
    })
}

#[then(expr = "the array has no volume for {word}")]
async fn no_volume(stage: &mut Stage, volume: String) -> Done {
    let volumes = stage.lab()?.on_array().volumes();
    require(volumes.is_empty(), || format!("the array still has {volumes:?} after the removal of {volume}"))
}

#[then(expr = "the array still knows host {word}")]
async fn knows_host(stage: &mut Stage, host: String) -> Done {
    require(stage.lab()?.on_array().has_host(&host), || format!("host {host} is gone"))
}

#[then(expr = "{word} was exported exactly once")]
async fn exported_once(stage: &mut Stage, volume: String) -> Done {
    let exports = stage.lab()?.on_array().exports_ever(&stage.array_name(&volume).await?);
    require(exports.len() == 1, || format!("it was exported as {exports:?}"))
}

#[then(expr = "{word} was exported to {worker} with {int} different LUN numbers")]
async fn different_luns(stage: &mut Stage, volume: String, worker: Worker, count: usize) -> Done {
    Ok(stage.lun_numbers_differ(&volume, &worker, count).await?)
}

#[then(regex = r"^(\w+) is exported to (worker\d+) only(?: within (\d+) s)?$")]
async fn exported_to(stage: &mut Stage, volume: String, worker: String, limit: String) -> Done {
    let limit = limit.parse().map_or(seconds(5), seconds);
    Ok(stage.exported_to(&volume, &[&worker], limit).await?)
}

#[then(expr = "{word} is exported to nobody")]
async fn exported_to_nobody(stage: &mut Stage, volume: String) -> Done {
    Ok(stage.exported_to(&volume, &[], seconds(10)).await?)
}

#[then(expr = "the volume {word} has never two exporters")]
async fn never_two(stage: &mut Stage, _volume: String) -> Done {
    Ok(stage.nothing_broken_so_far().await?)
}

#[then(expr = "no write of {worker} reached a volume other than {word}")]
async fn no_foreign_write(stage: &mut Stage, _worker: Worker, _volume: String) -> Done {
    Ok(stage.nothing_broken_so_far().await?)
}

#[then(expr = "no write of the first life of {worker} was accepted")]
async fn no_ghost_write(stage: &mut Stage, _worker: Worker) -> Done {
    Ok(stage.nothing_broken_so_far().await?)
}
