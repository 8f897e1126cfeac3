//! Rendering listings, as table or as comma separated values.
//!
//! Layout observed on real arrays: numbers and ports right-aligned, names left-aligned, a header whose bare words
//! are aligned like their column and whose `-Dashed-` words fill the column; below the rows a dashed line over the
//! whole width and the number of rows. With `setclienv csvtable 1` header, rows and total are joined by commas and
//! the dashed line stays.

/// On which side the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Names and texts.
    Left,
    /// Numbers, ports and types.
    Right,
}

/// The head of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    title: String,
    align: Align,
    /// The last line of the listing shows the sum of the numbers in it.
    summed: bool,
}

impl Column {
    /// A column with cells on the left.
    pub(crate) fn left(title: &str) -> Self {
        Self { title: title.to_owned(), align: Align::Left, summed: false }
    }

    /// A column with cells on the right.
    pub(crate) fn right(title: &str) -> Self {
        Self { title: title.to_owned(), align: Align::Right, summed: false }
    }

    /// A column of numbers whose sum stands in the last line.
    pub(crate) fn sum(title: &str) -> Self {
        Self { title: title.to_owned(), align: Align::Right, summed: true }
    }
}

/// The last line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Total {
    /// No total at all, not even the dashed line.
    None,
    /// Only the dashed line (`showport -iscsi`).
    Line,
    /// The number of entries and the word `total`. The number differs from the number of rows when an entry
    /// continues on further rows.
    Count(usize),
    /// The number of entries alone (`showport`).
    BareCount(usize),
}

/// How listings are printed; set per session with `setclienv` or per command with options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Style {
    /// Comma separated values instead of aligned columns.
    pub(crate) csv: bool,
    /// Neither header nor total.
    pub(crate) no_header_and_total: bool,
}

/// A listing.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// Lines above the header, from the top.
    groups: Vec<Vec<(usize, String)>>,
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    total: Total,
}

impl Table {
    /// An empty listing with these columns, ending in the number of its rows.
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        Self { groups: Vec::new(), columns, rows: Vec::new(), total: Total::Count(0) }
    }

    /// Puts a line of group names above the header, below the lines put there before: how many columns each name spans, from
    /// the left. Columns without group have the empty name.
    pub(crate) fn with_groups(mut self, groups: &[(usize, &str)]) -> Self {
        self.groups.push(groups.iter().map(|(span, name)| (*span, (*name).to_owned())).collect());
        self
    }

    /// Replaces the counted total.
    pub(crate) fn with_total(mut self, total: Total) -> Self {
        self.total = total;
        self
    }

    /// Adds a row and counts it. Missing cells are empty, surplus ones are dropped.
    pub(crate) fn push(&mut self, row: Vec<String>) {
        if let Total::Count(count) | Total::BareCount(count) = &mut self.total {
            *count += 1;
        }
        self.push_continuation(row);
    }

    /// Adds a row that continues the entry above and is not counted.
    pub(crate) fn push_continuation(&mut self, mut row: Vec<String>) {
        row.resize(self.columns.len(), String::new());
        self.rows.push(row);
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The listing as text, every line ended by `\n`.
    pub(crate) fn render(&self, style: Style) -> String {
        let widths = self.widths();
        let full_width = widths.iter().sum::<usize>() + widths.len().saturating_sub(1);
        let mut out = String::new();
        if !style.no_header_and_total {
            self.render_head(style, &widths, &mut out);
        }
        for row in &self.rows {
            if style.csv {
                out.push_str(&row.join(","));
                out.push('\n');
            } else {
                let cells = row.iter().zip(&self.columns).zip(&widths);
                push_line(cells.map(|((cell, column), width)| pad(cell, *width, column.align)), &mut out);
            }
        }
        if !style.no_header_and_total {
            self.render_total(style, &widths, full_width, &mut out);
        }
        out
    }

    /// The cells of the last line when it has sums: number of entries, `total`, the sums.
    fn sums(&self) -> Option<Vec<String>> {
        let Total::Count(count) = self.total else { return None };
        if !self.columns.iter().skip(2).any(|column| column.summed) {
            return None;
        }
        let sum = |index: usize| {
            let numbers = self.rows.iter().filter_map(|row| row.get(index)?.parse::<u64>().ok());
            numbers.fold(0, u64::saturating_add).to_string()
        };
        let cell = |(index, column): (usize, &Column)| match index {
            0 => count.to_string(),
            1 => "total".to_owned(),
            _ if column.summed => sum(index),
            _ => String::new(),
        };
        Some(self.columns.iter().enumerate().map(cell).collect())
    }

    fn widths(&self) -> Vec<usize> {
        let sums = self.sums();
        let width = |index: usize, column: &Column| {
            let cells = self.rows.iter().chain(&sums).filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
            cells.chain([column.title.chars().count()]).max().unwrap_or_default()
        };
        self.columns.iter().enumerate().map(|(index, column)| width(index, column)).collect()
    }

    fn render_head(&self, style: Style, widths: &[usize], out: &mut String) {
        if style.csv {
            for line in &self.groups {
                let cells = line.iter().map(|(span, name)| name.clone() + &",".repeat(span.saturating_sub(1)));
                out.push_str(&cells.collect::<Vec<_>>().join(","));
                out.push('\n');
            }
            let titles: Vec<_> = self.columns.iter().map(|column| column.title.as_str()).collect();
            out.push_str(&titles.join(","));
            out.push('\n');
            return;
        }
        for line in &self.groups {
            let mut widths = widths.iter();
            let spanned = line.iter().map(|(span, name)| {
                let width = widths.by_ref().take(*span).map(|width| width + 1).sum::<usize>();
                fill_title(name, width.saturating_sub(1), Align::Right)
            });
            push_line(spanned.collect::<Vec<_>>().into_iter(), out);
        }
        let titles = self.columns.iter().zip(widths);
        push_line(titles.map(|(column, width)| fill_title(&column.title, *width, column.align)), out);
    }

    fn render_total(&self, style: Style, widths: &[usize], full_width: usize, out: &mut String) {
        let (count, word) = match self.total {
            Total::None => return,
            Total::Line => (String::new(), ""),
            Total::Count(count) => (count.to_string(), "total"),
            Total::BareCount(count) => (count.to_string(), ""),
        };
        out.push_str(&"-".repeat(full_width));
        out.push('\n');
        if count.is_empty() {
            return;
        }
        if let Some(cells) = self.sums() {
            if style.csv {
                out.push_str(&cells.join(","));
                out.push('\n');
            } else {
                // The number stands on the right even below names.
                let align = |index: usize| if index == 0 { Align::Right } else { self.columns[index].align };
                let cells = cells.iter().zip(widths).enumerate();
                push_line(cells.map(|(index, (cell, width))| pad(cell, *width, align(index))), out);
            }
            return;
        }
        if style.csv {
            let mut cells = vec![""; self.columns.len().max(2)];
            (cells[0], cells[1]) = (&count, word);
            out.push_str(&cells.join(","));
        } else {
            let width = widths.first().copied().unwrap_or_default();
            out.push_str(format!("{count:>width$} {word}").trim_end());
        }
        out.push('\n');
    }
}

fn push_line(cells: impl Iterator<Item = String>, out: &mut String) {
    let line = cells.collect::<Vec<_>>().join(" ");
    out.push_str(line.trim_end());
    out.push('\n');
}

fn pad(text: &str, width: usize, align: Align) -> String {
    match align {
        Align::Left => format!("{text:<width$}"),
        Align::Right => format!("{text:>width$}"),
    }
}

/// `-Name-` grows to `---Name---` over a wider column; other titles are aligned like the cells.
fn fill_title(title: &str, width: usize, align: Align) -> String {
    if title.starts_with('-') && title.ends_with('-') { format!("{title:-^width$}") } else { pad(title, width, align) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vluns() -> Table {
        let mut table = Table::new(vec![
            Column::right("Lun"),
            Column::left("VVName"),
            Column::left("HostName"),
            Column::left("-Host_WWN/iSCSI_Name-"),
            Column::right("Port"),
            Column::right("Type"),
        ]);
        for port in ["0:0:1", "0:0:2"] {
            let row = ["0", "dcv-Rymb600ySNaVhuwz0TXamg", "cld6b5", "----------------", port, "matched set"];
            table.push(row.map(str::to_owned).to_vec());
        }
        table
    }

    #[test]
    fn the_table_looks_as_on_the_array() {
        assert_eq!(
            vluns().render(Style::default()),
            "\
Lun VVName                     HostName -Host_WWN/iSCSI_Name-  Port        Type
  0 dcv-Rymb600ySNaVhuwz0TXamg cld6b5   ----------------      0:0:1 matched set
  0 dcv-Rymb600ySNaVhuwz0TXamg cld6b5   ----------------      0:0:2 matched set
-------------------------------------------------------------------------------
  2 total
"
        );
    }

    #[test]
    fn csv_keeps_header_line_and_total() {
        assert_eq!(
            vluns().render(Style { csv: true, no_header_and_total: false }),
            "\
Lun,VVName,HostName,-Host_WWN/iSCSI_Name-,Port,Type
0,dcv-Rymb600ySNaVhuwz0TXamg,cld6b5,----------------,0:0:1,matched set
0,dcv-Rymb600ySNaVhuwz0TXamg,cld6b5,----------------,0:0:2,matched set
-------------------------------------------------------------------------------
2,total,,,,
"
        );
    }

    #[test]
    fn header_and_total_can_be_left_out() {
        let text = vluns().render(Style { csv: true, no_header_and_total: true });
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn group_names_span_their_columns() {
        let columns = ["Id", "Adm", "Snp", "Usr"].map(Column::right).to_vec();
        let mut table = Table::new(columns).with_groups(&[(1, ""), (3, "-Rsvd-")]).with_total(Total::None);
        table.push(["1", "256", "512", "1024"].map(str::to_owned).to_vec());
        assert_eq!(table.render(Style::default()), "   ----Rsvd----\nId Adm Snp  Usr\n 1 256 512 1024\n");
        assert_eq!(
            table.render(Style { csv: true, no_header_and_total: false }),
            ",-Rsvd-,,\nId,Adm,Snp,Usr\n1,256,512,1024\n"
        );
    }

    #[test]
    fn sums_stand_under_their_columns() {
        let columns = vec![Column::right("Id"), Column::left("Name"), Column::right("Set"), Column::sum("Free")];
        let mut table = Table::new(columns);
        table.push(["0", "a", "8", "83968"].map(str::to_owned).to_vec());
        table.push(["1", "b", "8", "--"].map(str::to_owned).to_vec());
        assert_eq!(
            table.render(Style::default()),
            "Id Name  Set  Free\n 0 a       8 83968\n 1 b       8    --\n------------------\n 2 total     83968\n"
        );
        let text = table.render(Style { csv: true, no_header_and_total: false });
        assert_eq!(text.lines().last(), Some("2,total,,83968"));
    }

    #[test]
    fn dashed_titles_fill_their_column() {
        let mut table = Table::new(vec![Column::right("Id"), Column::left("-Name-")]).with_total(Total::Line);
        table.push(vec!["1".to_owned(), "a-long-name".to_owned()]);
        assert_eq!(table.render(Style::default()), "Id ---Name----\n 1 a-long-name\n--------------\n");
    }
}
