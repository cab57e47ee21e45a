//! One error among all that led to another.

use std::{error::Error, io, iter};

/// The first of its type: the error itself, or one behind it.
pub(crate) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let next = |error: &&'a (dyn Error + 'static)| -> Option<&'a (dyn Error + 'static)> {
        match (*error).downcast_ref::<io::Error>() {
            // Its own source is that of the one in it.
            Some(error) => Some(error.get_ref()?),
            None => (*error).source(),
        }
    };
    iter::successors(Some(error), next).find_map(|error| error.downcast_ref())
}
