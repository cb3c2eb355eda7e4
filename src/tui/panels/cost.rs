//! `/cost`: what models took, by model, of this session, today and all.

use crate::domain::query::{Spend, Spending, TaskSpend};
use crate::domain::text::clean_line;
use crate::tui::panels::tasks::rows::money;
use crate::tui::panels::{Row, TextPanel, columns, heading};
use crate::tui::status::{count, thousands};
use crate::tui::theme::Key;

/// Columns of a model's name: all columns fit on a screen of 80.
const MODEL_WIDTH: usize = 25;

/// Columns of a task's description: its numbers stand below those of the models.
const TASK_WIDTH: usize = MODEL_WIDTH + 25;

/// The panel.
pub fn panel(spending: &Spending) -> TextPanel {
    let mut rows: Vec<Row> = Vec::new();
    let parts = [("This session", &spending.session), ("Today", &spending.today), ("All", &spending.all)];
    for (name, spends) in parts {
        if !rows.is_empty() {
            rows.push(Row::new());
        }
        rows.push(heading(name));
        if spends.is_empty() {
            rows.push(vec![(Key::UiDim, "  nothing yet".to_owned())]);
            continue;
        }
        rows.push(vec![(
            Key::UiDim,
            format!("  {}{:>7}{:>9}{:>9}{:>9}{:>9}", columns("model", MODEL_WIDTH), "turns", "read", "cached", "written", "cost"),
        )]);
        rows.extend(spends.iter().map(row));
        rows.extend(sum(spends));
    }
    if !spending.tasks.is_empty() {
        rows.push(Row::new());
        rows.push(heading("Background tasks"));
        rows.extend(spending.tasks.iter().map(task));
    }
    rows.push(Row::new());
    rows.push(vec![(Key::UiDim, format!("  {}", note(spending)))]);
    if spending.cut {
        rows.push(vec![(Key::StatusWarn, "  the latest turns are left out: there are more than are counted".to_owned())]);
    }
    TextPanel::rows("cost", rows)
}

fn row(spend: &Spend) -> Row {
    let usage = spend.usage;
    let numbers = format!(
        "{:>7}{:>9}{:>9}{:>9}",
        thousands(spend.turns),
        count(usage.input_tokens),
        count(usage.cached_tokens),
        count(usage.output_tokens)
    );
    let cost = spend.cost_micros.map_or_else(|| "–".to_owned(), money);
    vec![
        (Key::UiPopup, format!("  {}", columns(&clean_line(&spend.model), MODEL_WIDTH))),
        (Key::UiPopup, numbers),
        (Key::UiPopup, format!("{cost:>9}")),
    ]
}

fn task(spend: &TaskSpend) -> Row {
    let cost = spend.cost_micros.map_or_else(|| "–".to_owned(), money);
    vec![
        (Key::UiPopup, format!("  {}", columns(&clean_line(&spend.description), TASK_WIDTH))),
        (Key::UiPopup, format!("{:>9}{cost:>9}", count(spend.tokens))),
    ]
}

/// A last line where there is more than one to add up.
fn sum(spends: &[Spend]) -> Option<Row> {
    if spends.len() < 2 {
        return None;
    }
    let whole = spends.iter().fold(Spend::default(), |sum, spend| Spend {
        turns: sum.turns + spend.turns,
        usage: sum.usage.plus(spend.usage),
        cost_micros: spend.cost_micros.map(|cost| cost + sum.cost_micros.unwrap_or(0)).or(sum.cost_micros),
        ..sum
    });
    let mut row = row(&Spend { model: "together".to_owned(), ..whole });
    row.iter_mut().for_each(|(key, _)| *key = Key::UiAccent);
    Some(row)
}

fn note(spending: &Spending) -> &'static str {
    let unpriced = spending.all.iter().any(|spend| spend.cost_micros.is_none());
    match (spending.priced, unpriced) {
        (false, _) => "no prices in the config, so only tokens are counted; [prices] sets them by `provider/model`",
        (true, true) => "by the prices under [prices]; a model without one (–) is counted in tokens only, not as free",
        (true, false) => "by the prices under [prices] in the config",
    }
}
