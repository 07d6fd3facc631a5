//! Leaves out the last fields of a stored struct while they have their defaults.

/// Implements `Serialize` for a struct that PostgreSQL holds as a MessagePack array. The fields
/// behind the semicolon need a default for `Deserialize`, the one given here. As many of them as have
/// it at the end are not written, and a reader of any version fills them in.
macro_rules! omit_trailing_defaults {
    ($name:ident { $($field:ident),+ $(,)?; $($trailing:ident: $default:expr),+ $(,)? }) => {
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                use ::serde::ser::SerializeStruct as _;
                fn is_equal<T: PartialEq>(value: &T, default: T) -> bool {
                    *value == default
                }
                let Self { $($field,)+ $($trailing),+ } = self;
                let is_default = [$(is_equal($trailing, $default)),+];
                let omitted = is_default.iter().rev().take_while(|it| **it).count();
                let mut written = 0..is_default.len() - omitted;
                let fields = [$(stringify!($field)),+].len() + written.len();
                let mut all = serializer.serialize_struct(stringify!($name), fields)?;
                $(all.serialize_field(stringify!($field), $field)?;)+
                $(if written.next().is_some() {
                    all.serialize_field(stringify!($trailing), $trailing)?;
                })+
                all.end()
            }
        }
    };
}

pub(crate) use omit_trailing_defaults;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Stored {
        id: u8,
        #[serde(default)]
        name: Option<u8>,
        #[serde(default)]
        count: u8,
    }

    omit_trailing_defaults!(Stored { id; name: None, count: 0 });

    #[test]
    fn only_defaults_at_the_end_are_omitted_and_a_reader_fills_them_in() {
        for (name, count, length) in [(None, 0, 1), (Some(2), 0, 2), (Some(2), 3, 3), (None, 3, 3)]
        {
            let stored = Stored { id: 1, name, count };
            let bytes = rmp_serde::to_vec(&stored).unwrap();
            let array: Vec<Option<u8>> = rmp_serde::from_slice(&bytes).unwrap();
            assert_eq!(array.len(), length);
            assert_eq!(rmp_serde::from_slice::<Stored>(&bytes).unwrap(), stored);
            // Earlier versions wrote every field.
            let bytes = rmp_serde::to_vec(&(1, name, count)).unwrap();
            assert_eq!(rmp_serde::from_slice::<Stored>(&bytes).unwrap(), stored);
        }
    }
}
