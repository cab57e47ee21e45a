//! Sets the `cfg` by which `src/driver/sync.rs` takes other locks than the standard library's.

fn main() {
    println!("cargo::rustc-cfg=schedules");
}
