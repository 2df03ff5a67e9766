;; The inner loop of a search: finds a pattern of bytes with masks, wherever it begins, 64 bytes at a step.
;; `npm run wasm` makes scan-code.ts of it.
(module
  (import "search" "memory" (memory 1 65536 shared))

  ;; Whether the $length bytes at $at are the pattern: its values lie at $values, its masks at $masks.
  (func $isMatch (param $at i32) (param $values i32) (param $masks i32) (param $length i32) (result i32)
    (local $index i32)
    (loop $next
      (if (i32.ne
            (i32.and (i32.load8_u (i32.add (local.get $at) (local.get $index)))
                     (i32.load8_u (i32.add (local.get $masks) (local.get $index))))
            (i32.load8_u (i32.add (local.get $values) (local.get $index))))
        (then (return (i32.const 0))))
      (local.set $index (i32.add (local.get $index) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $index) (local.get $length))))
    (i32.const 1))

  ;; Which of the 16 places from $at on have both bytes that are looked for first, each $a or $b bytes on.
  (func $candidates (param $at i32) (param $a i32) (param $aValue v128) (param $aMask v128)
                    (param $b i32) (param $bValue v128) (param $bMask v128) (result v128)
    (v128.and
      (i8x16.eq (local.get $aValue)
        (v128.and (local.get $aMask) (v128.load align=1 (i32.add (local.get $at) (local.get $a)))))
      (i8x16.eq (local.get $bValue)
        (v128.and (local.get $bMask) (v128.load align=1 (i32.add (local.get $at) (local.get $b)))))))

  ;; Writes where the pattern begins in [$at, $end), as 32-bit numbers from $found on, and gives how many there are.
  ;; Up to 63 bytes past the last match are read. $a and $b are the places in the pattern of the bytes to look for first.
  (func (export "scan") (param $at i32) (param $end i32)
        (param $values i32) (param $masks i32) (param $length i32) (param $a i32) (param $b i32) (param $found i32)
        (result i32)
    (local $aValue v128) (local $aMask v128) (local $bValue v128) (local $bMask v128)
    (local $m0 v128) (local $m1 v128) (local $m2 v128) (local $m3 v128)
    (local $bits i64) (local $here i32) (local $next i32)
    (local.set $aValue (i8x16.splat (i32.load8_u (i32.add (local.get $values) (local.get $a)))))
    (local.set $aMask (i8x16.splat (i32.load8_u (i32.add (local.get $masks) (local.get $a)))))
    (local.set $bValue (i8x16.splat (i32.load8_u (i32.add (local.get $values) (local.get $b)))))
    (local.set $bMask (i8x16.splat (i32.load8_u (i32.add (local.get $masks) (local.get $b)))))
    (local.set $next (local.get $found))
    (block $done
      (loop $step
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $m0 (call $candidates (local.get $at)
          (local.get $a) (local.get $aValue) (local.get $aMask) (local.get $b) (local.get $bValue) (local.get $bMask)))
        (local.set $m1 (call $candidates (i32.add (local.get $at) (i32.const 16))
          (local.get $a) (local.get $aValue) (local.get $aMask) (local.get $b) (local.get $bValue) (local.get $bMask)))
        (local.set $m2 (call $candidates (i32.add (local.get $at) (i32.const 32))
          (local.get $a) (local.get $aValue) (local.get $aMask) (local.get $b) (local.get $bValue) (local.get $bMask)))
        (local.set $m3 (call $candidates (i32.add (local.get $at) (i32.const 48))
          (local.get $a) (local.get $aValue) (local.get $aMask) (local.get $b) (local.get $bValue) (local.get $bMask)))
        (if (v128.any_true (v128.or (v128.or (local.get $m0) (local.get $m1)) (v128.or (local.get $m2) (local.get $m3))))
          (then
            (local.set $bits (i64.or
              (i64.or
                (i64.extend_i32_u (i8x16.bitmask (local.get $m0)))
                (i64.shl (i64.extend_i32_u (i8x16.bitmask (local.get $m1))) (i64.const 16)))
              (i64.or
                (i64.shl (i64.extend_i32_u (i8x16.bitmask (local.get $m2))) (i64.const 32))
                (i64.shl (i64.extend_i32_u (i8x16.bitmask (local.get $m3))) (i64.const 48)))))
            (loop $bit
              (local.set $here (i32.add (local.get $at) (i32.wrap_i64 (i64.ctz (local.get $bits)))))
              (br_if $done (i32.ge_u (local.get $here) (local.get $end)))
              (if (call $isMatch (local.get $here) (local.get $values) (local.get $masks) (local.get $length))
                (then
                  (i32.store (local.get $next) (local.get $here))
                  (local.set $next (i32.add (local.get $next) (i32.const 4)))))
              (local.set $bits (i64.and (local.get $bits) (i64.sub (local.get $bits) (i64.const 1))))
              (br_if $bit (i64.ne (local.get $bits) (i64.const 0))))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br $step)))
    (i32.shr_u (i32.sub (local.get $next) (local.get $found)) (i32.const 2)))
)
