//! SIGINT, SIGTERM and SIGHUP, listened for in one place, so that no command leaves anything behind.

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A signal that asks this program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal is gone.
    HangUp,
}

impl Asked {
    /// Exit code of a program that a signal ended, as shells count it: 128 and the signal's number.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::HangUp => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        })
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::HangUp => "SIGHUP",
        })
    }
}

/// The signals that came so far. Clones see the same ones.
#[derive(Debug, Clone)]
pub(crate) struct Signals {
    came: watch::Receiver<Vec<Asked>>,
    expected: Arc<AtomicBool>,
}

impl Signals {
    /// Listens from now on; none of the three ends the process by itself any more.
    ///
    /// # Errors
    /// When the signals cannot be listened for.
    pub(crate) fn listen() -> Result<Self> {
        let (tell, came) = watch::channel(Vec::new());
        let watched = [
            (SignalKind::interrupt(), Asked::Interrupt),
            (SignalKind::terminate(), Asked::Terminate),
            (SignalKind::hangup(), Asked::HangUp),
        ];
        for (kind, asked) in watched {
            let mut signals = signal(kind).with_context(|| format!("listening for {asked}"))?;
            let tell = tell.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    tell.send_modify(|came| came.push(asked));
                }
            });
        }
        Ok(Self { came, expected: Arc::default() })
    }

    /// Waits for a signal that is the good end of a command, such as Ctrl-C of a site to play with. The command ends what it
    /// started in good order; a further signal cuts that short.
    pub(crate) async fn good_end(&self) {
        self.expected.store(true, Ordering::SeqCst);
        self.nth(1).await;
    }

    /// Waits for a signal that nobody waits for with [`Self::good_end`], or for a further one.
    pub(crate) async fn cut_short(&self) -> Asked {
        let first = self.nth(1).await;
        if self.expected.load(Ordering::SeqCst) { self.nth(2).await } else { first }
    }

    async fn nth(&self, number: usize) -> Asked {
        let mut came = self.came.clone();
        loop {
            if let Some(asked) = came.borrow_and_update().get(number - 1) {
                return *asked;
            }
            if came.changed().await.is_err() {
                // The listeners live as long as the runtime; without them no signal will come.
                std::future::pending::<()>().await;
            }
        }
    }
}
