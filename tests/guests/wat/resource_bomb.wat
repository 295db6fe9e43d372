;; Makes handles of a resource of its own for as long as it can: the table of them lies in the host's memory.
(type $resource (resource (rep i32)))
(core func $new (canon resource.new $resource))
(core module $module
  (import "host" "new" (func $new (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "run") (param i32) (result i32)
    (loop $more (drop (call $new (i32.const 0))) (br $more))
    (unreachable)))
(core instance $main (instantiate $module
  (with "host" (instance (export "new" (func $new))))))
