//! A recording becomes a time line.

use std::collections::BTreeSet;

use hpe3par_docker_plugin::array::Wwn;

use super::recording::{Recording, Story};
use super::timeline::{Chapter, FORMAT, Finding, Item, Lane, Moment, Timeline, VolumeEntry};
use super::{calls, fact_items, words};
use crate::checks::short;

impl Recording {
    /// The time line of this run.
    #[must_use]
    pub fn timeline(&self, story: Story) -> Timeline {
        let mut items = fact_items::items(self);
        items.extend(calls::items(self));
        items.sort_by_key(|item| item.at);
        let chapters = self
            .scenes
            .iter()
            .map(|scene| Chapter { at: scene.at.into(), text: scene.text.clone(), failed: scene.failed })
            .collect::<Vec<_>>();
        let findings: Vec<Finding> = story.findings.into_iter().map(|finding| self.with_names(finding)).collect();
        let ends =
            items.iter().map(|item| item.end.unwrap_or(item.at)).chain(chapters.iter().map(|chapter| chapter.at));
        Timeline {
            format: FORMAT,
            title: story.title,
            outcome: story.outcome,
            about: story.about,
            length: ends.chain(findings.iter().map(|finding| finding.at)).max().unwrap_or(Moment(0)),
            nodes: self.all_nodes(&items),
            volumes: self.volumes(&items),
            chapters,
            items,
            findings,
        }
    }

    /// The nodes that were named, then whoever else did something.
    fn all_nodes(&self, items: &[Item]) -> Vec<String> {
        let mut nodes = self.nodes.clone();
        let acting = items.iter().filter_map(|item| match &item.lane {
            Lane::Node(name) => Some(name),
            Lane::Etcd | Lane::Array | Lane::Site => None,
        });
        let others: BTreeSet<&String> = acting.filter(|name| !self.nodes.contains(name)).collect();
        nodes.extend(others.into_iter().cloned());
        nodes
    }

    /// The volumes that items speak of, by name.
    fn volumes(&self, items: &[Item]) -> Vec<VolumeEntry> {
        let ids: BTreeSet<&String> = items.iter().filter_map(|item| item.volume.as_ref()).collect();
        let name = |id: &str| {
            let known = self.names.iter().find(|(wwn, _)| wwn.to_string() == id);
            let unnamed =
                || id.parse::<Wwn>().map_or_else(|_| calls::name_of_nameless(id).to_owned(), |wwn| short(&wwn));
            known.map_or_else(unnamed, |(_, name)| name.clone())
        };
        let mut volumes: Vec<VolumeEntry> =
            ids.into_iter().map(|id| VolumeEntry { id: id.clone(), name: name(id) }).collect();
        volumes.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        volumes
    }

    /// Checkers call volumes by the digits that differ; people know them by name.
    fn with_names(&self, finding: Finding) -> Finding {
        let named = |text: String| {
            let pairs = self.names.iter().map(|(wwn, name)| (short(wwn), name));
            pairs.fold(text, |text, (short, name)| words::replaced(&text, &short, name))
        };
        Finding {
            explanation: named(finding.explanation),
            before: finding.before.into_iter().map(named).collect(),
            ..finding
        }
    }
}
