//! What events come to on the screen.
