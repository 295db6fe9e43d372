;; The types of `cofferdam:step`, as every step imports them.
(component
  (type $types-of-a-step (instance
    (type $phase-cases (enum "check" "prepare" "migrate" "health" "finalize"))
    (export "phase" (type $phase (eq $phase-cases)))
    (type $context-fields (record
      (field "package-id" string)
      (field "step" string)
      (field "phase" $phase)
      (field "from-version" (option string))
      (field "to-version" string)
      (field "from-data-format" (option u64))
      (field "to-data-format" u64)
      (field "roles" (list string))
      (field "service-output" string)))
    (export "context" (type (eq $context-fields)))
    (type $deferral-fields (record
      (field "reason" string)
      (field "retry-after-seconds" u32)))
    (export "deferral" (type $deferral (eq $deferral-fields)))
    (type $verdict-cases (variant
      (case "ok")
      (case "refuse" string)
      (case "defer" $deferral)
      (case "healthy")
      (case "unhealthy" string)))
    (export "verdict" (type (eq $verdict-cases)))))
  (import "cofferdam:step/types@0.1.0" (instance $types (type $types-of-a-step)))
  (alias export $types "context" (type $context))
  (alias export $types "verdict" (type $verdict))
