// SPDX-License-Identifier: Apache-2.0
//! Work spread over the cores, in order, stopping at the first error.

use std::io;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use rayon::ThreadPool;
use rayon::ThreadPoolBuildError;
use rayon::ThreadPoolBuilder;

use crate::error::TreeError;

/// Keeps the first error of several threads and tells the others to stop.
#[derive(Default)]
pub(crate) struct FirstError {
    stopped: AtomicBool,
    error: Mutex<Option<TreeError>>,
}

impl FirstError {
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, result: Result<(), TreeError>) {
        if let Err(error) = result {
            self.stopped.store(true, Ordering::Relaxed);
            lock(&self.error).get_or_insert(error);
        }
    }

    pub(crate) fn into_result(self) -> Result<(), TreeError> {
        let error = self
            .error
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        error.map_or(Ok(()), Err)
    }
}

/// The threads of this process for file work. Where the machine gives it none, its own does everything.
static POOL: LazyLock<Result<ThreadPool, ThreadPoolBuildError>> = LazyLock::new(|| {
    let many = ThreadPoolBuilder::new().build();
    many.or_else(|_| {
        let alone = ThreadPoolBuilder::new().num_threads(1);
        alone.use_current_thread().build()
    })
});

/// Work that makes more work, all of it done when this returns.
///
/// # Errors
///
/// The machine has no thread for it.
pub(crate) fn scope<'s>(work: impl FnOnce(&rayon::Scope<'s>) + Send) -> Result<(), TreeError> {
    let refused = |error: &ThreadPoolBuildError| {
        TreeError::io(
            "start threads for",
            ".",
            io::Error::other(error.to_string()),
        )
    };
    POOL.as_ref().map_err(refused)?.scope(work);
    Ok(())
}

/// Calls `work` for each item. Items are taken in order, so that the biggest can be put first.
pub(crate) fn for_each<T: Sync>(
    items: &[T],
    work: impl Fn(&T) -> Result<(), TreeError> + Sync,
) -> Result<(), TreeError> {
    let next = AtomicUsize::new(0);
    let first_error = FirstError::default();
    scope(|scope| {
        for _ in 0..rayon::current_num_threads().min(items.len()) {
            scope.spawn(|_| {
                while !first_error.is_stopped()
                    && let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    first_error.note(work(item));
                }
            });
        }
    })?;
    first_error.into_result()
}

/// Locks for a short update; a thread that panicked inside cannot have left it half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
