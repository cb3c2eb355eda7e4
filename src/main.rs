//! The `wakeful` program: hands over to the library.

fn main() {}
