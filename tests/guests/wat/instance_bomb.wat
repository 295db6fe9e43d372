;; Starts a small module more often than a component may: each of these components holds the one
;; before it twice, and the last one 128 instances.
(component $c0
  (core module $module (memory 1) (table 1 funcref))
  (core instance (instantiate $module)))
(component $c1 (instance (instantiate $c0)) (instance (instantiate $c0)))
(component $c2 (instance (instantiate $c1)) (instance (instantiate $c1)))
(component $c3 (instance (instantiate $c2)) (instance (instantiate $c2)))
(component $c4 (instance (instantiate $c3)) (instance (instantiate $c3)))
(component $c5 (instance (instantiate $c4)) (instance (instantiate $c4)))
(component $c6 (instance (instantiate $c5)) (instance (instantiate $c5)))
(component $c7 (instance (instantiate $c6)) (instance (instantiate $c6)))
(instance (instantiate $c7))
(core module $module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "run") (param i32) (result i32) (i32.const 0)))
(core instance $main (instantiate $module))
