;; Makes a table grow for as long as it can, and gives up when it cannot any more.
(core module $module
  (memory (export "memory") 1)
  (table $table 0 funcref)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "run") (param i32) (result i32)
    (loop $more
      (br_if $more (i32.ne (i32.const -1)
        (table.grow $table (ref.null func) (i32.const 10000)))))
    (unreachable)))
(core instance $main (instantiate $module))
