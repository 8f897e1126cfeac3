//! What the array does to volumes in the background: physical copies, promotion, tuning.

use super::{Answer, Command, Invocation, Outcome, refusal::About, volume_show::volumes_wanted};
use crate::array::{ArrayError, CreatePhysicalCopy, PromoteSnapshot, TuneVolume};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "createvvcopy",
        "copy a volume",
        "-p=<parent> -r -halt -s -b -online -tpvv -tdvv -reduce -dedup -compr -snp_cpg=<CPG> -wwn=<WWN> -skip_zero -pri=high|med|low \
         -addtoset=<vvset>",
        "<VV_name> | <CPG> <VV_name>",
        copy,
    ),
    Command::new(
        "promotesv",
        "give a volume the data of a virtual copy",
        "-f -target=<VV> -rcp -halt -pri=high|med|low -online",
        "<copy>...",
        promote,
    ),
    Command::new("promotevvcopy", "make a physical copy a volume of its own", "-f", "<physical_copy>", promote_copy),
    Command::new(
        "tunevv",
        "move a volume to another CPG, or change its provisioning",
        "-f -waittask -dr -cnt=<number> -full -tpvv -tdvv -reduce -dedup -compr -keepvv=<VV_name> -threshold=<percent> -src_cpg=<CPG>",
        "usr_cpg|snp_cpg <CPG> <VV_name>|<pattern>...",
        tune,
    ),
];

/// The number of a priority.
fn priority(invocation: &Invocation<'_>) -> Result<Option<i64>, Outcome> {
    match invocation.value("-pri") {
        None => Ok(None),
        Some("high") => Ok(Some(1)),
        Some("med" | "medium") => Ok(Some(2)),
        Some("low") => Ok(Some(3)),
        Some(word) => Err(Outcome::refused(format!("Invalid value for -pri: {word}"))),
    }
}

fn refused(error: &ArrayError, volume: &str, cpg: &str) -> Outcome {
    About { volume, cpg, ..About::default() }.refused(error)
}

/// Runs `createvvcopy`: `-p` names what is copied; `-r` fills a copy again, `-halt` stops one.
fn copy(invocation: &Invocation<'_>) -> Answer {
    if invocation.has("-r") || invocation.has("-halt") {
        let target = invocation.only_operand()?;
        if invocation.has("-halt") {
            let stopped = invocation.change(|array, now| array.stop_physical_copy(now, target));
            stopped.map_err(|error| not_a_copy(&error, target))?;
            return Ok(Outcome::Done("Copy was stopped.\n".to_owned()));
        }
        let started = invocation.change(|array, now| array.resync_physical_copy(now, target));
        let task = started.map_err(|error| not_a_copy(&error, target))?;
        return Ok(Outcome::Done(format!("Copy was started. child = {target}, parent = -, task ID = {task}\n")));
    }
    let parent = invocation.value("-p").ok_or_else(|| invocation.misused("-p and the volume to copy are required"))?;
    let flag = |option: &str| invocation.has(option).then_some(true);
    let mut body = CreatePhysicalCopy {
        save_snapshot: flag("-s"),
        skip_zero: flag("-skip_zero"),
        priority: priority(invocation)?,
        ..CreatePhysicalCopy::default()
    };
    let (cpg, target) = match (invocation.has("-online"), invocation.operands()) {
        (true, [cpg, target]) => (cpg.as_str(), target),
        (false, [target]) => ("", target),
        (true, _) => return Err(invocation.misused("a CPG and the name of the copy are required")),
        (false, _) => return Err(invocation.misused("the volume to copy to is required")),
    };
    body.dest_volume = Some(target.clone());
    if invocation.has("-online") {
        body.online = Some(true);
        body.dest_cpg = Some(cpg.to_owned());
        body.tpvv = flag("-tpvv");
        body.tdvv = flag("-tdvv").or(flag("-dedup"));
        body.reduce = flag("-reduce");
        body.compression = flag("-compr");
        body.snap_cpg = invocation.options.owned("-snp_cpg");
        body.wwn = invocation.options.owned("-wwn");
        body.add_to_set = invocation.options.owned("-addtoset");
    }
    let started = invocation.change(|array, now| array.create_physical_copy(now, parent, &body));
    let about = if invocation.read(|array| array.volume(parent).is_ok()) { target } else { parent };
    let started = started.map_err(|error| refused(&error, about, cpg))?;
    Ok(Outcome::Done(format!(
        "Copy was started. child = {}, parent = {parent}, task ID = {}\n",
        started.target, started.task
    )))
}

fn not_a_copy(error: &ArrayError, volume: &str) -> Outcome {
    if error.code == ArrayError::non_existent_copy().code {
        return Outcome::refused(format!("Error: vv {volume} is not a physical copy"));
    }
    About::volume(volume).refused(error)
}

/// Runs `promotesv`: the task's number is the second word of each line.
fn promote(invocation: &Invocation<'_>) -> Answer {
    if invocation.operands().is_empty() {
        return Err(invocation.misused("missing arguments"));
    }
    let mut text = String::new();
    for name in invocation.operands() {
        if invocation.has("-halt") {
            let stopped = invocation.change(|array, now| array.stop_promotion(now, name));
            stopped.map_err(|error| About::volume(name).refused(&error))?;
            continue;
        }
        let body = PromoteSnapshot {
            online: invocation.has("-online").then_some(true),
            priority: priority(invocation)?,
            allow_remote_copy_parent: invocation.has("-rcp").then_some(true),
            target: invocation.options.owned("-target"),
        };
        let started = invocation.change(|array, now| array.promote_snapshot(now, name, &body));
        let task = started.map_err(|error| match error.code {
            code if code == ArrayError::base_volume().code => {
                Outcome::refused(format!("Error: Base volume may not be promoted: {name}"))
            }
            code if code == ArrayError::volume_exported().code => {
                Outcome::refused(format!("Error: volume {name} or its parent has exports defined"))
            }
            _ => About::volume(name).refused(&error),
        })?;
        text.push_str(&format!("Task {task} has been started to promote virtual copy {name}\n"));
    }
    Ok(Outcome::Done(text))
}

/// Runs `promotevvcopy`.
fn promote_copy(invocation: &Invocation<'_>) -> Answer {
    let copy = invocation.only_operand()?;
    let done = invocation.change(|array, now| array.promote_physical_copy(now, copy));
    done.map_err(|error| not_a_copy(&error, copy))?;
    Ok(Outcome::Done(String::new()))
}

/// Runs `tunevv`: one task for each volume.
fn tune(invocation: &Invocation<'_>) -> Answer {
    let [what, cpg, volumes @ ..] = invocation.operands() else {
        return Err(invocation.misused("usr_cpg or snp_cpg, a CPG and a volume are required"));
    };
    let operation = match what.as_str() {
        "usr_cpg" => 1,
        "snp_cpg" => 2,
        _ => return Err(Outcome::refused(format!("Invalid subcommand: {what}"))),
    };
    if volumes.is_empty() {
        return Err(invocation.misused("missing arguments"));
    }
    let rows = volumes_wanted(invocation, volumes)?;
    let conversions = [("-tpvv", 1), ("-full", 2), ("-tdvv", 3), ("-dedup", 3), ("-reduce", 4)];
    let body = TuneVolume {
        tune_operation: Some(operation),
        user_cpg: (operation == 1).then(|| cpg.clone()),
        snap_cpg: (operation == 2).then(|| cpg.clone()),
        conversion_operation: conversions.iter().find(|(option, _)| invocation.has(option)).map(|(_, number)| *number),
        keep_vv: invocation.options.owned("-keepvv"),
        compression: invocation.has("-compr").then_some(true),
    };
    let names: Vec<_> = rows.iter().map(|row| row.name.to_string()).collect();
    if invocation.has("-dr") {
        return Ok(Outcome::Done(names.iter().map(|name| format!("Dry run: tunevv {what} {cpg} {name}\n")).collect()));
    }
    if !invocation.has("-f") {
        return invocation.ask(format!("Are you sure you want to tune vv {}?", names.join(" ")));
    }
    let mut text = String::new();
    for name in &names {
        let started = invocation.change(|array, now| array.tune_volume(now, name, &body));
        let task = started.map_err(|error| refused(&error, name, cpg))?;
        text.push_str(&format!("Task {task} started.\n"));
    }
    Ok(Outcome::Done(text))
}
