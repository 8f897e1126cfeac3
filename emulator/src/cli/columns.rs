//! Listings whose columns can be chosen: `-listcols`, `-showcols`, `-sortcol`, and the standard layouts.

use super::{
    options::Options,
    table::{Column, Table},
};

/// How the cells of a column are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Left,
    Right,
    Sum,
}

/// A column: its name for `-showcols` and how its cell is made.
pub(crate) struct Field<R> {
    /// Name, as `-listcols` prints it.
    pub(crate) name: &'static str,
    kind: Kind,
    cell: fn(&R) -> String,
}

/// A column of names and texts.
pub(crate) const fn left<R>(name: &'static str, cell: fn(&R) -> String) -> Field<R> {
    Field { name, kind: Kind::Left, cell }
}

/// A column of numbers and ports.
pub(crate) const fn right<R>(name: &'static str, cell: fn(&R) -> String) -> Field<R> {
    Field { name, kind: Kind::Right, cell }
}

/// A column of numbers with a sum in the last line.
pub(crate) const fn sum<R>(name: &'static str, cell: fn(&R) -> String) -> Field<R> {
    Field { name, kind: Kind::Sum, cell }
}

/// The columns of one form of a listing.
pub(crate) struct Layout {
    /// Lines of group names above the header, from the top: how many columns each spans.
    pub(crate) groups: &'static [&'static [(usize, &'static str)]],
    /// Name of the field and title in the header.
    pub(crate) columns: &'static [(&'static str, &'static str)],
}

/// The names that `-listcols` prints, one a line.
pub(crate) fn names<R>(fields: &[Field<R>]) -> String {
    fields.iter().map(|field| format!("{}\n", field.name)).collect()
}

/// The listing of `rows`: with the columns of `-showcols` under their full names, else as `layout` has it; ordered by
/// `-sortcol`.
///
/// # Errors
/// A sentence for a column that does not exist.
pub(crate) fn listing<R>(options: &Options, fields: &[Field<R>], layout: &Layout, rows: &[R]) -> Result<Table, String> {
    let named = |name: &str| {
        let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name.trim()));
        field.ok_or_else(|| format!("Invalid column name: {name}"))
    };
    let (shown, groups) = match options.value("-showcols") {
        Some(wanted) => {
            let columns: Result<Vec<_>, String> = wanted.split(',').map(|name| Ok((named(name)?, None))).collect();
            (columns?, &[][..])
        }
        None => {
            let column = |(name, title): &(&'static str, &'static str)| Ok((named(name)?, Some(*title)));
            (layout.columns.iter().map(column).collect::<Result<Vec<_>, String>>()?, layout.groups)
        }
    };
    let mut table = Table::new(shown.iter().map(|(field, title)| column(field, *title)).collect());
    for line in groups {
        table = table.with_groups(line);
    }
    for row in sorted(options, fields, rows)? {
        table.push(shown.iter().map(|(field, _)| (field.cell)(row)).collect());
    }
    Ok(table)
}

fn column<R>(field: &Field<R>, title: Option<&str>) -> Column {
    let title = title.unwrap_or(field.name);
    match field.kind {
        Kind::Left => Column::left(title),
        Kind::Right => Column::right(title),
        Kind::Sum => Column::sum(title),
    }
}

/// The rows in the order that `-sortcol` asks for: by the name or the number of a field, numbers as numbers.
fn sorted<'a, R>(options: &Options, fields: &[Field<R>], rows: &'a [R]) -> Result<Vec<&'a R>, String> {
    let mut rows: Vec<&R> = rows.iter().collect();
    let Some(wish) = options.value("-sortcol") else { return Ok(rows) };
    let (name, direction) = wish.split_once(',').unwrap_or((wish, "inc"));
    let field = match name.parse::<usize>() {
        Ok(index) => fields.get(index),
        Err(_) => fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)),
    };
    let field = field.ok_or_else(|| format!("Invalid column name: {name}"))?;
    let key = |row: &&R| {
        let cell = (field.cell)(row);
        (cell.trim().parse::<u64>().ok(), cell)
    };
    rows.sort_by_cached_key(key);
    match direction {
        "inc" => {}
        "dec" => rows.reverse(),
        _ => return Err(format!("Invalid direction of -sortcol: {direction}")),
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{options::Known, table::Style};

    const FIELDS: [Field<(u32, &'static str)>; 2] =
        [right("Id", |row| row.0.to_string()), left("Name", |row| row.1.to_owned())];
    const LAYOUT: Layout = Layout { groups: &[], columns: &[("Id", "Id"), ("Name", "-Name-")] };

    fn show(line: &str) -> Result<String, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let options = Options::sort(&words, Known("-showcols=<columns> -sortcol=<column>"))?;
        let table = listing(&options, &FIELDS, &LAYOUT, &[(10, "b"), (9, "c"), (2, "a")])?;
        Ok(table.render(options.style(Style::default())))
    }

    #[test]
    fn columns_are_chosen_and_rows_ordered() {
        assert_eq!(show("-nohdtot").unwrap(), "10 b\n 9 c\n 2 a\n");
        assert_eq!(show("-nohdtot -sortcol Id -showcols name").unwrap(), "a\nc\nb\n");
        assert_eq!(show("-nohdtot -sortcol 1,dec -showcols Name,Id").unwrap(), "c     9\nb    10\na     2\n");
        assert_eq!(show("-showcols Name,Nope").unwrap_err(), "Invalid column name: Nope");
        assert_eq!(show("-sortcol Id,up").unwrap_err(), "Invalid direction of -sortcol: up");
    }
}
