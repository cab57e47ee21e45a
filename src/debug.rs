//! `Debug` of the types that show a chosen few of their fields.

/// Shows these fields of a type, and that there are others: `debug_fields!(Signer { consumer, token_id })`, or with
/// what is shown of each, `debug_fields!(self: Client<T> { handle: self.shared.handle })`.
macro_rules! debug_fields {
    ($type:ident $(<$($generic:tt),+>)? { $($field:ident),* $(,)? }) => {
        debug_fields!(self: $type $(<$($generic),+>)? { $($field: self.$field),* });
    };
    ($self:ident: $type:ident $(<$($generic:tt),+>)? { $($field:ident: $shown:expr),* $(,)? }) => {
        #[automatically_derived]
        impl $(<$($generic),+>)? std::fmt::Debug for $type $(<$($generic),+>)? {
            fn fmt(&$self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut fields = f.debug_struct(stringify!($type));
                $(fields.field(stringify!($field), &$shown);)*
                fields.finish_non_exhaustive()
            }
        }
    };
}
