//! Work on all cores: neighbours in one group, so that what comes out is in order.

/// Below this weight a thread costs more than it gives.
const MIN_GROUP: usize = 256 << 10;

/// Runs items in as many groups of neighbours as there are cores; results in the order of the groups. The weight of an
/// item is about the bytes of text to be read for it.
pub(super) fn in_groups<T: Send, R: Send>(
    items: Vec<T>,
    weight: impl Fn(&T) -> usize,
    run: impl Fn(Vec<T>) -> R + Sync,
) -> Vec<R> {
    let total: usize = items.iter().map(&weight).sum();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut groups = groups(items, weight, (total / cores).max(MIN_GROUP));
    if groups.len() < 2 {
        return groups.pop().map(run).into_iter().collect();
    }
    std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = groups
            .into_iter()
            .map(|group| scope.spawn(move || run(group)))
            .collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, R>| thread.join();
        threads
            .into_iter()
            .map(|thread| join(thread).unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// Cuts items into groups of at least `size`, the last one excepted.
fn groups<T>(items: Vec<T>, weight: impl Fn(&T) -> usize, size: usize) -> Vec<Vec<T>> {
    let mut groups = Vec::new();
    let (mut group, mut total) = (Vec::new(), 0);
    for item in items {
        total += weight(&item);
        group.push(item);
        if total >= size {
            groups.push(std::mem::take(&mut group));
            total = 0;
        }
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order() {
        let items: Vec<usize> = (0..50).collect();
        let found = in_groups(items.clone(), |_| MIN_GROUP / 3, |group| group);
        assert!(found.len() > 1);
        assert_eq!(found.concat(), items);
        assert_eq!(
            in_groups(Vec::<usize>::new(), |_| 1, |group| group).len(),
            0
        );
    }
}
