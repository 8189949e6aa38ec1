/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From reset to C. The first vCPU comes from the reset vector; the others, told by its start-up IPI, begin at the
 * image's first byte (segment 0xf000). All go to protected mode, flat, without paging and interrupts, and call
 * race_main(APIC id).
 */
#include "page.h"

#define APIC_ID 0xfee00020
#define CR0_PE 0x1
#define CR0_NO_CACHE 0x60000000
#define CODE 0x08
#define DATA 0x10

        .section .entry, "ax"
        .code16
        .globl entry
entry:
        cli
        cld
        lgdtl   %cs:(gdt_pointer - entry)
        movl    %cr0, %eax
        andl    $~CR0_NO_CACHE, %eax
        orl     $CR0_PE, %eax
        movl    %eax, %cr0
        ljmpl   $CODE, $flat

        .code32
flat:
        movw    $DATA, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %fs
        movw    %ax, %gs
        movw    %ax, %ss
        movl    APIC_ID, %eax
        shrl    $24, %eax
        cmpl    $RACE_CPUS, %eax
        jae     rest
        movl    %eax, %ebx
        incl    %ebx
        shll    $12, %ebx
        leal    RACE_STACKS(%ebx), %esp
        pushl   %eax
        call    race_main
rest:
        hlt
        jmp     rest

        .balign 8
gdt:
        .quad   0
        .quad   0x00cf9b000000ffff
        .quad   0x00cf93000000ffff
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

        .section .reset, "ax"
        .code16
        ljmp    $0xf000, $0

        .section .note.GNU-stack, "", @progbits
