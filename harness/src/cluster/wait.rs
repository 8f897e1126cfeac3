//! Waiting on a condition with a deadline, so that no scenario sleeps for luck.

use std::fmt::Display;
use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(15);

/// A condition did not come true in time.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("waited {waited:.1?} for {what}; last status: {last}")]
pub struct NotInTime {
    /// What was waited for.
    pub what: String,
    /// How long.
    pub waited: Duration,
    /// What the last look saw.
    pub last: String,
}

/// Looks again and again until `look` answers `Ok`, at most for `deadline`. The error names the last status seen.
///
/// # Errors
/// [`NotInTime`] with what the last look saw.
pub async fn wait_for_condition<T, S, L, F>(what: &str, deadline: Duration, mut look: L) -> Result<T, NotInTime>
where
    L: FnMut() -> F,
    F: Future<Output = Result<T, S>>,
    S: Display,
{
    let begun = Instant::now();
    loop {
        match look().await {
            Ok(value) => return Ok(value),
            Err(status) if begun.elapsed() >= deadline => {
                return Err(NotInTime { what: what.to_owned(), waited: begun.elapsed(), last: status.to_string() });
            }
            Err(_) => sleep(LOOK).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_as_soon_as_the_condition_holds() {
        let mut looks = 0;
        let found = wait_for_condition("a third look", Duration::from_secs(1), || {
            looks += 1;
            let now = looks;
            async move { if now >= 3 { Ok(now) } else { Err("not yet") } }
        })
        .await;
        assert_eq!(found, Ok(3));
    }

    #[tokio::test(start_paused = true)]
    async fn names_the_last_status_when_time_is_up() {
        let result: Result<(), _> =
            wait_for_condition("spring", Duration::from_millis(50), || async { Err("snow") }).await;
        let text = result.map_err(|error| error.to_string());
        assert!(text.is_err_and(|text| text.contains("spring") && text.contains("snow")));
    }
}
