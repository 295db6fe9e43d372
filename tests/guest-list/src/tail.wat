
  (type $run-of-a-step
    (func (param "context" $context) (result (result $verdict (error string)))))
  (func $run-lifted (type $run-of-a-step)
    (canon lift (core func $main "run")
      (memory (core memory $main "memory"))
      (realloc (core func $main "cabi_realloc"))
      (post-return (core func $main "cabi_post_run"))))
  (export "run" (func $run-lifted)))
