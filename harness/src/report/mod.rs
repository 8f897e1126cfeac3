//! What a run leaves for people: one time line, as a page to look at and as JSON.
//!
//! A [`Recording`] is what a run has seen; [`Timeline`] is what is shown, in plain types that know nothing of where
//! things came from; [`page`] makes the page. The page needs no network: style, script and data are in the one file.

mod calls;
mod composing;
mod fact_items;
mod files;
mod findings;
mod html;
mod index;
mod junit;
mod recording;
mod thinning;
mod timeline;
mod words;

#[cfg(test)]
mod tests;

pub use files::{ReadError, Saved, file_name, make_folder_of, read, save};
pub use findings::rule_of;
pub use html::page;
pub use index::{IndexEntry, index};
pub use junit::{TestResult, write_junit};
pub use recording::{Call, CallAnswer, Command, Recording, Scene, Story};
pub use timeline::{
    Answer, AnswerKind, Chapter, FORMAT, Finding, Item, Lane, Moment, Outcome, Ownership, PhaseBegin, Timeline,
    VolumeEntry, What,
};
