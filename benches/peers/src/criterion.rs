//! Criterion's view of the comparisons: `cargo bench`. Its data is what the plot in `docs/speed.svg` is made of.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use ibkr_oauth_peers::comparisons;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50)
        .without_plots()
        .configure_from_args();
    for comparison in comparisons() {
        let mut group = criterion.benchmark_group(comparison.name);
        for mut contender in comparison.contenders {
            let id = BenchmarkId::from_parameter(&contender.name);
            group.bench_function(id, |bencher| bencher.iter_custom(|times| contender.time(times)));
        }
        group.finish();
    }
    criterion.final_summary();
}
