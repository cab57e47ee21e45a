//! One error among all that led to another.

use std::{error::Error, io, iter};

/// The first of its type: the error itself, or one behind it.
pub(crate) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let next = |error: &&'a (dyn Error + 'static)| match (*error).downcast_ref::<io::Error>() {
        // Its own source is that of the one in it.
        Some(error) => error.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => (*error).source(),
    };
    iter::successors(Some(error), next).find_map(|error| error.downcast_ref())
}
