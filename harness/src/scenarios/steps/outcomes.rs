//! What requests are answered.

use cucumber::{given, then};

use super::{Done, seconds};
use crate::scenarios::holder::Holder;
use crate::scenarios::stage::Stage;

#[given(regex = r"^the (?:mount|request) succeeds(?: within (\d+) s)?$")]
#[then(regex = r"^the (?:mount|request) succeeds(?: within (\d+) s)?$")]
async fn succeeds(stage: &mut Stage, limit: String) -> Done {
    Ok(stage.succeeded(limit.parse().ok().map(seconds))?)
}

#[then(regex = r"^the mount fails(?: within (\d+) s)?$")]
async fn fails(stage: &mut Stage, limit: String) -> Done {
    Ok(stage.failed(limit.parse().ok().map(seconds))?)
}

#[then(regex = r#"^the request is refused with "(.+)"$"#)]
async fn refused(stage: &mut Stage, words: String) -> Done {
    Ok(stage.refused_with(&words)?)
}

#[then(regex = r#"^the mount succeeds within (\d+) s or is refused with "(.+)"$"#)]
async fn succeeds_or_refused(stage: &mut Stage, _limit: u64, words: String) -> Done {
    Ok(stage.succeeded_or_refused_with(&words)?)
}

#[then(expr = "the request succeeds or is refused with a reason")]
async fn any_answer(stage: &mut Stage) -> Done {
    match &stage.last()?.answer {
        Ok(_) => Ok(()),
        Err(error) if error.refusal().is_some() => Ok(()),
        Err(error) => Err(anyhow::anyhow!("{error}"))?,
    }
}

#[then(expr = "it took at least {int} s")]
async fn took_at_least(stage: &mut Stage, least: u64) -> Done {
    Ok(stage.took_at_least(seconds(least))?)
}

#[then(expr = "every create succeeds")]
async fn every_one(stage: &mut Stage) -> Done {
    Ok(stage.all_succeeded()?)
}

#[given(expr = "the mount of {holder} succeeds within {int} s")]
#[then(expr = "the mount of {holder} succeeds within {int} s")]
async fn mount_succeeds(stage: &mut Stage, holder: Holder, limit: u64) -> Done {
    stage.await_mount(&holder, seconds(limit)).await?;
    Ok(stage.succeeded(None)?)
}

#[then(expr = "the mount of {holder} is refused or succeeds")]
async fn mount_answered(stage: &mut Stage, holder: Holder) -> Done {
    stage.await_mount(&holder, seconds(30)).await?;
    match &stage.last()?.answer {
        Ok(_) => Ok(()),
        Err(error) if error.refusal().is_some() => Ok(()),
        Err(error) => Err(anyhow::anyhow!("{error}"))?,
    }
}

#[then(expr = "both mounts of {holder} answer the same mount point")]
async fn same_mount_point(stage: &mut Stage, holder: Holder) -> Done {
    Ok(stage.same_mount_point(&holder).await?)
}

#[then(expr = "exactly one of the mounts of {holder} and {holder} succeeds first")]
async fn one_first(stage: &mut Stage, one: Holder, other: Holder) -> Done {
    Ok(stage.one_mount_first(&[one, other]).await?)
}

#[then(regex = r"^the other one gets \w+ only after the first has lost it$")]
async fn other_after(stage: &mut Stage) -> Done {
    Ok(stage.other_after_first().await?)
}

#[then(regex = r"^exactly one of the mounts of container (\w), (\w) and (\w) succeeds and the others are refused$")]
async fn exactly_one(stage: &mut Stage, one: String, two: String, three: String) -> Done {
    Ok(stage.exactly_one_succeeds(&[one, two, three].map(Holder::Container)).await?)
}
