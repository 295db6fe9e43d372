;; Answers with an error text of almost four gigabytes, in a memory of one page.
(core module $module
  (memory (export "memory") 1)
  ;; An error (1), its text at 0 with 0xfffffff0 bytes.
  (data (i32.const 16) "\01\00\00\00\00\00\00\00\f0\ff\ff\ff")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "run") (param i32) (result i32) (i32.const 16)))
(core instance $main (instantiate $module))
