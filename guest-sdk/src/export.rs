// SPDX-License-Identifier: Apache-2.0
//! From a function or a type to the component's export.

use crate::Context;
use crate::Phase;
use crate::Result;
use crate::Verdict;
use crate::bindings::cofferdam::step::types as host;

/// A step as a type, for those who prefer it to a function; see [`export!`](crate::export!).
pub trait Step {
    /// Does the job.
    ///
    /// # Errors
    /// Any: the update ends, everything stays as it was, the operator reads the chain of causes.
    fn run(ctx: &Context) -> Result<Verdict>;
}

/// Makes a function the step of this crate.
///
/// ```
/// use cofferdam_sdk::prelude::*;
///
/// step!(enough_room);
///
/// fn enough_room(ctx: &Context) -> Result<Verdict> {
///     if std::path::Path::new("/data/lock").exists() {
///         return Ok(Verdict::defer("an import is running", std::time::Duration::from_secs(600)));
///     }
///     Ok(Verdict::Ok)
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! step {
    ($function:path) => {
        const _: () = {
            struct Function;

            impl $crate::Step for Function {
                fn run(ctx: &$crate::Context) -> $crate::Result<$crate::Verdict> {
                    $function(ctx)
                }
            }

            $crate::export!(Function);
        };
    };
}

/// Makes a type that implements [`Step`](trait@crate::Step) the step of this crate.
///
/// ```
/// use cofferdam_sdk::prelude::*;
///
/// struct Answers;
///
/// impl Step for Answers {
///     fn run(ctx: &Context) -> Result<Verdict> {
///         if ctx.service_output.contains("listening") {
///             Ok(Verdict::Healthy)
///         } else {
///             Ok(Verdict::unhealthy("the service does not say that it listens"))
///         }
///     }
/// }
///
/// export!(Answers);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    ($step:ty) => {
        const _: () = {
            struct Exported;

            impl $crate::bindings::Guest for Exported {
                fn run(
                    context: $crate::bindings::Context,
                ) -> ::core::result::Result<$crate::bindings::Verdict, ::std::string::String>
                {
                    $crate::__private::run::<$step>(context)
                }
            }

            // In an ordinary unit test there is nobody to export to; the step counts as used all the same.
            #[cfg(not(target_family = "wasm"))]
            const _: fn(&$crate::Context) -> $crate::Result<$crate::Verdict> =
                <$step as $crate::Step>::run;

            #[cfg(target_family = "wasm")]
            $crate::bindings::export_world!(
                Exported with_types_in $crate::bindings
            );
        };
    };
}

/// The body of the export.
///
/// # Errors
/// What the step returned, as text.
pub fn run<S: Step>(context: host::Context) -> std::result::Result<host::Verdict, String> {
    match S::run(&from_host(context)) {
        Ok(verdict) => Ok(to_host(verdict)),
        Err(error) => Err(error.to_string()),
    }
}

fn from_host(context: host::Context) -> Context {
    Context {
        package_id: context.package_id,
        step: context.step,
        phase: match context.phase {
            host::Phase::Check => Phase::Check,
            host::Phase::Prepare => Phase::Prepare,
            host::Phase::Migrate => Phase::Migrate,
            host::Phase::Health => Phase::Health,
            host::Phase::Finalize => Phase::Finalize,
        },
        from_version: context.from_version,
        to_version: context.to_version,
        from_data_format: context.from_data_format,
        to_data_format: context.to_data_format,
        roles: context.roles,
        service_output: context.service_output,
    }
}

fn to_host(verdict: Verdict) -> host::Verdict {
    match verdict {
        Verdict::Ok => host::Verdict::Ok,
        Verdict::Refuse(reason) => host::Verdict::Refuse(reason),
        Verdict::Defer {
            reason,
            retry_after,
        } => {
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
            host::Verdict::Defer(host::Deferral {
                reason,
                retry_after_seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
            })
        }
        Verdict::Healthy => host::Verdict::Healthy,
        Verdict::Unhealthy(reason) => host::Verdict::Unhealthy(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    struct Fails;

    impl Step for Fails {
        fn run(ctx: &Context) -> Result<Verdict> {
            assert_eq!(ctx.phase, Phase::Migrate);
            let number: u8 = "x"
                .parse()
                .map_err(|e| Error::from(e).context("reading the schema"))?;
            Ok(Verdict::refuse(number.to_string()))
        }
    }

    fn context() -> host::Context {
        host::Context {
            package_id: "acme".into(),
            step: "fails".into(),
            phase: host::Phase::Migrate,
            from_version: None,
            to_version: "1.0.0".into(),
            from_data_format: None,
            to_data_format: 1,
            roles: vec!["server".into()],
            service_output: String::new(),
        }
    }

    #[test]
    fn an_error_reaches_the_host_as_its_chain() {
        assert_eq!(
            run::<Fails>(context()).unwrap_err(),
            "reading the schema: invalid digit found in string"
        );
    }

    #[test]
    fn part_seconds_of_a_deferral_count_as_whole_ones() {
        let verdict = Verdict::defer("later", std::time::Duration::from_millis(1500));
        let host::Verdict::Defer(deferral) = to_host(verdict) else {
            panic!("not a deferral")
        };
        assert_eq!(deferral.retry_after_seconds, 2);
        assert!(from_host(context()).has_role("server"));
    }
}
