;; Hands over a text that is none: bytes that are not UTF-8.
(import "cofferdam:step/progress@0.1.0" (instance $progress
  (export "report" (func (param "done" u64) (param "total" u64) (param "message" string)))))
(core module $libc (memory (export "memory") 1) (data (i32.const 0) "\c0\80\ff\fe"))
(core instance $libc (instantiate $libc))
(core func $report (canon lower (func $progress "report") (memory (core memory $libc "memory"))))
(core module $module
  (import "libc" "memory" (memory 1))
  (import "host" "report" (func $report (param i64 i64 i32 i32)))
  (export "memory" (memory 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "run") (param i32) (result i32)
    (call $report (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 4))
    (i32.const 512)))
(core instance $main (instantiate $module
  (with "libc" (instance $libc))
  (with "host" (instance (export "report" (func $report))))))
