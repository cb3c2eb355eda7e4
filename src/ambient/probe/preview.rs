//! Tries a task out before it is made: what it would see now, and how often it would have told of what is known.
