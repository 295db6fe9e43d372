// SPDX-License-Identifier: Apache-2.0
//! Handles of a step, backed by our own types.
//!
//! wasmtime-wasi's generated traits name its own types for files, streams and pollables; those can
//! block on a runtime and follow links. A handle is an index into the store's table in either case,
//! so the table holds our entries, and a handle of the wrong kind fails the type check at look-up.

use std::any::Any;
use wasmtime::component::Resource;
use wasmtime::component::ResourceTable;
use wasmtime::component::ResourceTableError;

/// Adds an entry; the guest owns the handle.
pub(crate) fn push<E, R>(
    table: &mut ResourceTable,
    entry: E,
) -> Result<Resource<R>, ResourceTableError>
where
    E: Send + 'static,
    R: 'static,
{
    Ok(Resource::new_own(table.push(entry)?.rep()))
}

/// The entry behind a handle.
pub(crate) fn get<'t, E, R>(
    table: &'t ResourceTable,
    handle: &Resource<R>,
) -> Result<&'t E, ResourceTableError>
where
    E: Any,
    R: 'static,
{
    table.get(&Resource::<E>::new_borrow(handle.rep()))
}

/// The entry behind a handle, to change it.
pub(crate) fn get_mut<'t, E, R>(
    table: &'t mut ResourceTable,
    handle: &Resource<R>,
) -> Result<&'t mut E, ResourceTableError>
where
    E: Any,
    R: 'static,
{
    table.get_mut(&Resource::<E>::new_borrow(handle.rep()))
}

/// Takes the entry out.
pub(crate) fn delete<E, R>(
    table: &mut ResourceTable,
    handle: &Resource<R>,
) -> Result<E, ResourceTableError>
where
    E: Any,
    R: 'static,
{
    table.delete(Resource::<E>::new_own(handle.rep()))
}
