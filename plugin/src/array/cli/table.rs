//! Tables as the array's command line prints them: a header, rows, a line of dashes, a row with the total.
//!
//! Columns are found by their names, because releases differ in which columns there are. The total is required: without it the
//! output may have been cut off.

use thiserror::Error;

/// Why an output is no whole table.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub(super) enum TableError {
    /// The output ends where more must come.
    #[error("the output breaks off: {0}")]
    CutOff(&'static str),
    /// The total says another number than there are rows.
    #[error("the output is not whole: {rows} rows, the array counts {total}")]
    Total { rows: usize, total: usize },
    /// A line that fits nowhere.
    #[error("'{0}' is not readable")]
    Line(String),
    /// A column is missing.
    #[error("the table has no column {0}")]
    Column(&'static str),
}

/// Shortens a line for an error.
pub(super) fn line_error(line: &str) -> TableError {
    TableError::Line(line.trim().chars().take(120).collect())
}

/// Header and rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    columns: Vec<String>,
    /// Cells in the order of the columns; `None` for a cell of dashes or blanks.
    rows: Vec<Vec<Option<String>>>,
}

/// One row of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    columns: &'a [String],
    cells: &'a [Option<String>],
}

impl<'a> Row<'a> {
    /// The cell under a column; `None` for dashes.
    pub(super) fn cell(&self, column: &'static str) -> Result<Option<&'a str>, TableError> {
        let index = self.columns.iter().position(|name| name == column).ok_or(TableError::Column(column))?;
        Ok(self.cells.get(index).and_then(Option::as_deref))
    }

    /// The cell under a column that every row must fill.
    pub(super) fn needed(&self, column: &'static str) -> Result<&'a str, TableError> {
        self.cell(column)?.ok_or_else(|| line_error(&self.text()))
    }

    /// The row, for errors.
    pub(super) fn text(&self) -> String {
        let cells: Vec<&str> = self.cells.iter().map(|cell| cell.as_deref().unwrap_or("-")).collect();
        cells.join(" ")
    }
}

impl Table {
    /// Rows in their order.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { columns: &self.columns, cells })
    }

    /// Reads a table from `lines`, up to and with its total. `wide` is the one column whose text may hold blanks in the table form.
    pub(super) fn read<'a>(lines: &mut impl Iterator<Item = &'a str>, wide: &'static str) -> Result<Self, TableError> {
        let header = lines.next().ok_or(TableError::CutOff("no header"))?;
        let form = Form::of(header);
        let columns: Vec<String> =
            form.split(header).map(|name| name.trim_matches(|c| c == '-' || c == ' ').to_owned()).collect();
        let wide = columns.iter().position(|name| name == wide).ok_or(TableError::Column(wide))?;
        let mut rows = Vec::new();
        loop {
            let line = lines.next().ok_or(TableError::CutOff("no total"))?;
            if is_rule(line) {
                break;
            }
            rows.push(form.cells(line, columns.len(), wide)?);
        }
        let line = lines.next().ok_or(TableError::CutOff("no total"))?;
        let total = total(line).ok_or_else(|| line_error(line))?;
        if total == rows.len() {
            Ok(Self { columns, rows })
        } else {
            Err(TableError::Total { rows: rows.len(), total })
        }
    }
}

/// The two ways in which a row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Values with commas between them (`-csvtable`).
    Commas,
    /// Columns with blanks between them.
    Blanks,
}

impl Form {
    fn of(header: &str) -> Self {
        if header.contains(',') { Self::Commas } else { Self::Blanks }
    }

    fn split(self, line: &str) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Commas => Box::new(line.split(',').map(str::trim)),
            Self::Blanks => Box::new(line.split_whitespace()),
        }
    }

    /// The cells of a row. In the form with blanks, what is left over belongs to the wide column.
    fn cells(self, line: &str, columns: usize, wide: usize) -> Result<Vec<Option<String>>, TableError> {
        let words: Vec<&str> = self.split(line).collect();
        let extra = words.len().checked_sub(columns).ok_or_else(|| line_error(line))?;
        if self == Self::Commas && extra > 0 {
            return Err(line_error(line));
        }
        let (before, rest) = words.split_at(wide);
        let (wide_words, after) = rest.split_at(extra + 1);
        let cell = |text: &str| (!text.chars().all(|c| c == '-')).then(|| text.to_owned());
        let mut cells: Vec<Option<String>> = before.iter().map(|word| cell(word)).collect();
        cells.push(cell(&wide_words.join(" ")));
        cells.extend(after.iter().map(|word| cell(word)));
        Ok(cells)
    }
}

/// A line of dashes over the whole width.
fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.len() >= 3 && line.chars().all(|c| matches!(c, '-' | ',')) && line.starts_with("---")
}

/// `2 total`, `2,total,,,` or `2,,,,`.
fn total(line: &str) -> Option<usize> {
    let mut words = line.split([',', ' ']).filter(|word| !word.is_empty());
    let number = words.next()?.parse().ok()?;
    let rest_fits = match words.next() {
        None => line.contains(','),
        Some(word) => word == "total" && words.next().is_none(),
    };
    rest_fits.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Table, TableError> {
        Table::read(&mut text.lines(), "Type")
    }

    #[test]
    fn both_forms_give_the_same_cells() {
        let commas =
            read("Lun,Host,-WWN-,Port,Type,Status\n0,h1,---,0:0:1,matched set,active\n-----\n1,,,,,\n").unwrap();
        let blanks = read(
            " Lun Host -WWN-  Port        Type Status\n   0 h1   ---- 0:0:1 matched set active\n ------\n  1 total\n",
        )
        .unwrap();
        assert_eq!(commas, blanks);
        let row = commas.rows().next().unwrap();
        assert_eq!(row.cell("Type"), Ok(Some("matched set")));
        assert_eq!(row.cell("WWN"), Ok(None));
        assert_eq!(row.cell("Domain"), Err(TableError::Column("Domain")));
    }

    #[test]
    fn a_table_without_its_total_is_cut_off() {
        let whole = "Lun,Type\n0,host\n1,host\n-----\n2,\n";
        assert!(read(whole).is_ok());
        for end in 0..whole.trim_end().len() - 1 {
            assert!(read(&whole[..end]).is_err(), "{:?}", &whole[..end]);
        }
        assert_eq!(read("Lun,Type\n0,host\n----\n2,total\n"), Err(TableError::Total { rows: 1, total: 2 }));
    }

    #[test]
    fn a_row_with_too_few_or_too_many_cells_is_an_error() {
        assert!(read("Lun,Host,Type\n0,host\n----\n1,,\n").is_err());
        assert!(read("Lun,Type\n0,host,x\n----\n1,\n").is_err());
        assert!(read("Lun Host Type\n0 host\n----\n1 total\n").is_err());
    }

    #[test]
    fn totals() {
        assert_eq!(total("  2 total"), Some(2));
        assert_eq!(total("4,,,,,"), Some(4));
        assert_eq!(total("4,total,,"), Some(4));
        assert_eq!(total("4"), None);
        assert_eq!(total("4 totals of"), None);
        assert_eq!(total("total"), None);
    }
}
