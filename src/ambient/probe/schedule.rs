//! Says that a schedule came due.

use serde_json::json;

use crate::ambient::finding::{Fault, Finding, Fire, Look, News};
use crate::ambient::probe::data_of;
use crate::domain::task::ScheduleConfig;

pub(super) fn look(look: &Look, config: &ScheduleConfig) -> Result<Finding, Fault> {
    let mut data = data_of(&look.spec);
    data.insert("trigger_time".to_owned(), json!(look.due.unwrap_or(look.now)));
    let config =
        serde_json::to_value(config).map_err(|error| Fault::new(format!("the schedule's config cannot be written as JSON: {error}")))?;
    data.insert("schedule_config".to_owned(), config);
    let fire = Fire { part: "schedule".to_owned(), data };
    Ok(Finding { state: look.state.clone(), keep: Vec::new(), news: News::Fired(vec![fire]), note: "due".to_owned(), trouble: None })
}
