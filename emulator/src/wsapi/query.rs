//! The filters of collections: `?query="volumeName EQ x OR volumeName EQ y"`.
//!
//! Grammar (1.3.1 guide p. 21 and what clients send): terms joined by `OR` or `AND`, a term is
//! `<member> EQ|==|LIKE <value>` or `<member>[<terms>]` for a member that is a list of objects, such as
//! `FCPaths[wwn EQ x OR wwn EQ y] OR iSCSIPaths[name EQ z]`. Blanks are free, the quotes around the whole may be
//! missing. A filter is applied to the JSON of each collection member.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::{array::ArrayError, faults::glob_matches};

/// Deepest nesting of brackets; the documented grammar has one level.
const DEEPEST: u32 = 4;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    /// `member EQ value`.
    Equals(String, String),
    /// `member LIKE pattern`, with `*` and `?`.
    Like(String, String),
    /// `member[...]`: some element of the list fits.
    Element(String, Box<Filter>),
    /// Every one fits.
    All(Vec<Filter>),
    /// At least one fits.
    Any(Vec<Filter>),
}

impl Filter {
    /// Reads the filter out of the query part of a URI; `None` when it has no `query=`.
    ///
    /// `filterable` are the members this collection can be filtered by.
    ///
    /// # Errors
    /// INV_QUERY_STRING for anything that does not follow the grammar or names another member.
    pub(crate) fn from_uri(query: Option<&str>, filterable: &[&str]) -> Result<Option<Self>, ArrayError> {
        let Some(raw) = query.and_then(|query| parameter(query, "query")) else {
            return Ok(None);
        };
        let plain = raw.replace('+', " ");
        let text = percent_decode_str(&plain).decode_utf8().map_err(|_| ArrayError::invalid_query())?;
        let filter = Self::parse(&text).ok_or_else(|| ArrayError::invalid_query().with_ref(text.trim()))?;
        match filter.foreign_member(filterable) {
            Some(member) => Err(ArrayError::invalid_query().with_ref(member)),
            None => Ok(Some(filter)),
        }
    }

    /// Parses the text of a filter; `None` when it does not follow the grammar.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let inner = text.strip_prefix('"').map_or(text, |text| text.strip_suffix('"').unwrap_or(text));
        let mut scanner = Scanner { rest: inner };
        let filter = scanner.alternatives(0)?;
        scanner.skip_blanks();
        scanner.rest.is_empty().then_some(filter)
    }

    /// Whether the JSON object fits.
    pub(crate) fn fits(&self, object: &Value) -> bool {
        match self {
            Self::Equals(member, wanted) => {
                object.get(member).is_some_and(|value| any_text(value, &|text| text.eq_ignore_ascii_case(wanted)))
            }
            Self::Like(member, pattern) => {
                object.get(member).is_some_and(|value| any_text(value, &|text| glob_matches(pattern, text)))
            }
            Self::Element(member, inner) => match object.get(member) {
                Some(Value::Array(elements)) => elements.iter().any(|element| inner.fits(element)),
                Some(element) => inner.fits(element),
                None => false,
            },
            Self::All(filters) => filters.iter().all(|filter| filter.fits(object)),
            Self::Any(filters) => filters.iter().any(|filter| filter.fits(object)),
        }
    }

    /// The values of `member` of which every object that fits has one, each once, if the filter says so much.
    pub(crate) fn values_of(&self, member: &str) -> Option<BTreeSet<&str>> {
        match self {
            Self::Equals(held, value) => (held == member).then(|| BTreeSet::from([value.as_str()])),
            Self::Any(filters) => {
                let values: Option<Vec<_>> = filters.iter().map(|filter| filter.values_of(member)).collect();
                values.map(|values| values.into_iter().flatten().collect())
            }
            Self::All(filters) => filters.iter().find_map(|filter| filter.values_of(member)),
            Self::Like(..) | Self::Element(..) => None,
        }
    }

    /// The values of members inside lists of which every object that fits has one, if the filter says so much; `members` are pairs of
    /// list and member.
    pub(crate) fn values_in(&self, members: &[(&str, &str)]) -> Option<BTreeSet<&str>> {
        match self {
            Self::Element(list, inner) => {
                let (_, member) = members.iter().find(|(name, _)| name == list)?;
                inner.values_of(member)
            }
            Self::Any(filters) => {
                let values: Option<Vec<_>> = filters.iter().map(|filter| filter.values_in(members)).collect();
                values.map(|values| values.into_iter().flatten().collect())
            }
            Self::All(filters) => filters.iter().find_map(|filter| filter.values_in(members)),
            Self::Equals(..) | Self::Like(..) => None,
        }
    }

    /// The first top-level member that is not among `filterable`.
    fn foreign_member(&self, filterable: &[&str]) -> Option<&str> {
        match self {
            Self::Equals(member, _) | Self::Like(member, _) | Self::Element(member, _) => {
                (!filterable.contains(&member.as_str())).then_some(member)
            }
            Self::All(filters) | Self::Any(filters) => {
                filters.iter().find_map(|filter| filter.foreign_member(filterable))
            }
        }
    }
}

/// The raw value of a parameter in a query string. Filters hold no `&`, so splitting there is safe.
pub(crate) fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Whether any text inside `value` fits: the value itself, an element of a list, or a port position as `n:s:p`.
fn any_text(value: &Value, fits: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => fits(text),
        Value::Array(elements) => elements.iter().any(|element| any_text(element, fits)),
        Value::Object(_) => {
            let part = |name: &str| value.get(name).and_then(Value::as_u64);
            match (part("node"), part("slot"), part("cardPort")) {
                (Some(node), Some(slot), Some(port)) => fits(&format!("{node}:{slot}:{port}")),
                _ => false,
            }
        }
        Value::Null => false,
        number_or_bool => fits(&number_or_bool.to_string()),
    }
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take_while(&mut self, accepted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|character| !accepted(character)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn literal(&mut self, literal: &str) -> bool {
        match self.rest.strip_prefix(literal) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A keyword in any case, if it is the next word.
    fn keyword(&mut self, keyword: &str) -> bool {
        self.skip_blanks();
        let before = self.rest;
        if self.take_while(|character| character.is_ascii_alphabetic()).eq_ignore_ascii_case(keyword) {
            return true;
        }
        self.rest = before;
        false
    }

    fn alternatives(&mut self, depth: u32) -> Option<Filter> {
        let mut filters = vec![self.conjunction(depth)?];
        while self.keyword("OR") {
            filters.push(self.conjunction(depth)?);
        }
        Some(if filters.len() == 1 { filters.remove(0) } else { Filter::Any(filters) })
    }

    fn conjunction(&mut self, depth: u32) -> Option<Filter> {
        let mut filters = vec![self.term(depth)?];
        while self.keyword("AND") {
            filters.push(self.term(depth)?);
        }
        Some(if filters.len() == 1 { filters.remove(0) } else { Filter::All(filters) })
    }

    fn term(&mut self, depth: u32) -> Option<Filter> {
        self.skip_blanks();
        let member = self.take_while(|character| character.is_ascii_alphanumeric() || character == '_');
        if member.is_empty() {
            return None;
        }
        let member = member.to_owned();
        self.skip_blanks();
        if self.literal("[") {
            if depth >= DEEPEST {
                return None;
            }
            let inner = self.alternatives(depth + 1)?;
            self.skip_blanks();
            return self.literal("]").then(|| Filter::Element(member, Box::new(inner)));
        }
        if self.literal("==") || self.keyword("EQ") {
            return Some(Filter::Equals(member, self.value()?));
        }
        self.keyword("LIKE").then_some(())?;
        Some(Filter::Like(member, self.value()?))
    }

    fn value(&mut self) -> Option<String> {
        self.skip_blanks();
        for quote in ['\'', '"'] {
            if let Some(rest) = self.rest.strip_prefix(quote) {
                let end = rest.find(quote)?;
                self.rest = &rest[end + 1..];
                return Some(rest[..end].to_owned());
            }
        }
        let value = self.take_while(|character| !character.is_whitespace() && !matches!(character, ']' | '['));
        (!value.is_empty()).then(|| value.to_owned())
    }
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
