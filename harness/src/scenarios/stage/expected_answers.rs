//! What a scenario expects of answers.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::requests::Request;
use super::{Outcome, Stage};
use crate::cluster::docker_client::CallError;
use crate::cluster::wait::wait_for_condition;
use crate::scenarios::holder::Holder;

/// How long two mounts that were begun may take until the first is answered.
const FIRST: Duration = Duration::from_secs(15);

impl Stage {
    /// The last request succeeded, within a time if one is given.
    ///
    /// # Errors
    /// Says what it was answered.
    pub fn succeeded(&self, within: Option<Duration>) -> Result<()> {
        let last = self.last()?;
        if let Err(error) = &last.answer {
            bail!("{}: {error}", last.what);
        }
        self.in_time(within)
    }

    /// The last request failed, within a time if one is given.
    ///
    /// # Errors
    /// When it succeeded or took too long.
    pub fn failed(&self, within: Option<Duration>) -> Result<()> {
        let last = self.last()?;
        ensure!(last.answer.is_err(), "{} succeeded", last.what);
        self.in_time(within)
    }

    /// The last request was refused with a text that holds `words`.
    ///
    /// # Errors
    /// Says what it was answered instead.
    pub fn refused_with(&self, words: &str) -> Result<()> {
        let last = self.last()?;
        match &last.answer {
            Ok(_) => bail!("{} succeeded; it was to be refused with '{words}'", last.what),
            Err(CallError::Refused(text)) if text.to_lowercase().contains(&words.to_lowercase()) => Ok(()),
            Err(error) => bail!("{}: {error}; it was to be refused with '{words}'", last.what),
        }
    }

    /// The last request succeeded, or was refused with a text that holds `words`.
    ///
    /// # Errors
    /// Says what it was answered instead.
    pub fn succeeded_or_refused_with(&self, words: &str) -> Result<()> {
        if self.last()?.answer.is_ok() { Ok(()) } else { self.refused_with(words) }
    }

    /// The last request took at least this long.
    ///
    /// # Errors
    /// When it was answered sooner.
    pub fn took_at_least(&self, least: Duration) -> Result<()> {
        let last = self.last()?;
        ensure!(last.took >= least, "{} took only {:?}", last.what, last.took);
        Ok(())
    }

    /// Every request so far succeeded.
    ///
    /// # Errors
    /// Names those that did not.
    pub fn all_succeeded(&self) -> Result<()> {
        let failed: Vec<String> = self
            .outcomes
            .iter()
            .filter_map(|outcome| Some(format!("{}: {}", outcome.what, outcome.answer.as_ref().err()?)))
            .collect();
        ensure!(failed.is_empty(), "{}", failed.join("; "));
        Ok(())
    }

    /// Exactly one of two mounts that were begun is answered with success first; its name is noted as `first`.
    ///
    /// # Errors
    /// When neither or both at once have it.
    pub async fn one_mount_first(&mut self, holders: &[Holder]) -> Result<()> {
        let first = self.first_answered(holders).await?;
        self.await_mount(&first, Duration::from_secs(1)).await?;
        self.succeeded(None).context("the first answer")?;
        let other = holders.iter().find(|holder| **holder != first).context("only one holder was named")?;
        self.notes.insert("first".to_owned(), first.to_string());
        self.notes.insert("other".to_owned(), other.to_string());
        Ok(())
    }

    /// The holder noted under a name.
    ///
    /// # Errors
    /// When nothing was noted.
    pub fn noted(&self, name: &str) -> Result<Holder> {
        let text = self.notes.get(name).with_context(|| format!("nothing was noted as '{name}'"))?;
        text.parse().map_err(anyhow::Error::msg)
    }

    /// The other mount that was begun succeeds too, but only after the record has ended the epoch of the first.
    ///
    /// # Errors
    /// When it does not succeed, or both hold the volume.
    pub async fn other_after_first(&mut self) -> Result<()> {
        let (first, other) = (self.noted("first")?, self.noted("other")?);
        let lost = self.container(&first)?.clone();
        self.await_mount(&other, FIRST).await?;
        self.succeeded(None)?;
        let owner = self.container(&other)?.worker.clone();
        let hosts = self.lab()?.on_array().hosts_with(&self.array_name(&lost.volume).await?);
        ensure!(hosts.iter().all(|host| *host == owner), "the volume is exported to {hosts:?}, not to {owner} alone");
        self.write_is_refused(&first).await
    }

    /// Of all mounts that were begun exactly one succeeds; the others are refused.
    ///
    /// # Errors
    /// When it is otherwise.
    pub async fn exactly_one_succeeds(&mut self, holders: &[Holder]) -> Result<()> {
        let mut succeeded = Vec::new();
        for holder in holders {
            self.await_mount(holder, FIRST).await?;
            if self.last()?.answer.is_ok() {
                succeeded.push(holder.to_string());
            }
        }
        ensure!(succeeded.len() == 1, "{} mounts succeeded: {succeeded:?}; {:?}", succeeded.len(), self.outcomes);
        Ok(())
    }

    /// All mounts that a holder began are answered with one mount point.
    ///
    /// # Errors
    /// When one fails or they differ.
    pub async fn same_mount_point(&mut self, holder: &Holder) -> Result<()> {
        let mut answers: Vec<Outcome> = Vec::new();
        while self.running_mounts().iter().any(|running| running.holder == *holder && running.request == Request::Mount)
        {
            self.await_mount(holder, FIRST).await?;
            answers.extend(self.last.clone());
        }
        let points: Vec<_> = answers.iter().map(|outcome| outcome.answer.as_ref().ok()).collect();
        let same = points.first().is_some_and(|first| first.is_some() && points.iter().all(|point| point == first));
        ensure!(same && points.len() > 1, "the answers differ: {answers:?}");
        Ok(())
    }

    /// The raw answer is an error that says why.
    ///
    /// # Errors
    /// When it is not.
    pub fn raw_is_error(&self) -> Result<()> {
        let raw = self.raw.as_ref().context("nothing was sent")?;
        let body = String::from_utf8_lossy(&raw.body);
        let told = serde_json::from_slice::<serde_json::Value>(&raw.body).ok();
        let err =
            told.as_ref().and_then(|value| value.get("Err")).and_then(serde_json::Value::as_str).unwrap_or_default();
        ensure!(!err.is_empty(), "status {} with '{body}' tells no error", raw.status);
        ensure!(raw.status != 200 || !err.is_empty(), "status 200 with '{body}'");
        Ok(())
    }

    /// The raw answer tells no error; gives its mount point, if it has one.
    ///
    /// # Errors
    /// When it tells an error.
    pub fn raw_is_success(&self) -> Result<Option<String>> {
        let raw = self.raw.as_ref().context("nothing was sent")?;
        let body = String::from_utf8_lossy(&raw.body);
        let told: serde_json::Value =
            serde_json::from_slice(&raw.body).with_context(|| format!("'{body}' is no JSON"))?;
        let err = told.get("Err").and_then(serde_json::Value::as_str).unwrap_or_default();
        ensure!(raw.status == 200 && err.is_empty(), "status {} with '{body}'", raw.status);
        Ok(told.get("Mountpoint").and_then(serde_json::Value::as_str).map(str::to_owned))
    }

    fn in_time(&self, within: Option<Duration>) -> Result<()> {
        let last = self.last()?;
        let Some(within) = within else { return Ok(()) };
        ensure!(last.took <= within, "{} took {:.1?}, more than {within:?}", last.what, last.took);
        Ok(())
    }

    async fn first_answered(&mut self, holders: &[Holder]) -> Result<Holder> {
        let running = self.running_mounts();
        let look = || {
            let done = running.iter().find(|running| holders.contains(&running.holder) && running.is_answered());
            let done = done.map(|running| running.holder.clone());
            async move { done.ok_or("none is answered") }
        };
        Ok(wait_for_condition("the first of the mounts", FIRST, look).await?)
    }
}
