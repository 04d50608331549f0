//! What the tests of leases start as the other process: takes a lease, says so, and holds it until it is ended or its
//! standard input is.
//!
//! `hold-lease FOLDER IDENTITY`

use boards::lease::{Holder, Leases};
use std::io::Read as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, identity] = &arguments[..] else {
        return Err("hold-lease FOLDER IDENTITY".into());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let holder = Holder::this_process(Some("another"));
    let lease = runtime.block_on(Leases::new(folder).take(identity, &holder))?;
    println!("held");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(lease);
    Ok(())
}
