# SPDX-License-Identifier: GPL-2.0
#
# Plot what the benchmark of preserved PCI functions has measured:
#
#   gnuplot -e "csv='FILE'; out='FOLDER'; machine='WHERE IT RAN'; run='COMMAND'" \
#           pci-liveupdate-bench.gnuplot

set encoding utf8
set datafile separator ','
set border 3 linewidth 1.2 linecolor rgb '#555555'
set tics nomirror textcolor rgb '#333333'
set grid xtics ytics linewidth 0.8 linecolor rgb '#dddddd'
set key off
set logscale xy
caption = 'random order; one segment up to 65,536 functions, 16 above; ' . machine . '; ' . run

# The contenders, each in its colour everywhere: ours green, the floor grey.
NAMES = 'array list index set bitmap'
TITLES = '"sorted array" "list of slots" "index" "index as a set" "bare bitmap"'
COLOURS = '#d95f02 #7570b3 #0b5d3b #2fb37e #888888'
colour(i) = word(COLOURS, i)
width(i) = i == 3 || i == 4 ? 3 : 2

# Rows "functions,value" of one contender; value and want are awk.
rows(i, layout, op, value, want) = sprintf("< awk -F, '$1 == \"%s\" && $2 == \"%s\" && $3 == \"random\" && $6 == \"%s\" && %s { printf \"%%d,%%.6g\\n\", $4, %s }' '%s' | sort -t, -n", word(NAMES, i), layout, op, want, value, csv)
# The end of a line, where its name is written.
last(i, layout, op, value, want) = rows(i, layout, op, value, want) . ' | tail -n 1'

# One segment for as many functions as it has room for, and 16 above.
dense = '$5 == ($4 <= 65536 ? 1 : 16) && $4 >= 16'
ns = '$9 / 1000'
us = '$9 * $7 / 1e6'

set xlabel 'functions preserved' textcolor rgb '#333333'
set xtics ('16' 16, '256' 256, '4,096' 4096, '65,536' 65536, '1 M' 1048576)
set xrange [12:40000000]

set terminal pngcairo size 1650,640 font 'DejaVu Sans,12' linewidth 1.3
set output out . '/operations.png'
set multiplot layout 1,3 title "What one call takes" font ',17' margins 0.05,0.995,0.17,0.84 spacing 0.045,0
set label 1 caption at screen 0.5,0.03 center font ',10' textcolor rgb '#777777'
set yrange [0.4:1000000]
set ytics ('1 ns' 1, '10 ns' 10, '100 ns' 100, '1 µs' 1000, '10 µs' 10000, '100 µs' 100000, '1 ms' 1000000)
OPERATIONS = 'preserve hit finish'
TITLE = '"preserve a function" "look a function up" "finish a function"'
# Where names would be on top of each other they are moved apart, in lines.
MOVE = '"0 0 0.2 -0.35 0.35" "0.3 0.1 0.2 0.3 -0.1" "0.3 0.2 0.2 -0.6 0.9"'
do for [p = 1:3] {
	op = word(OPERATIONS, p)
	set title word(TITLE, p) font ',14'
	plot for [i = 1:5] rows(i, 'dense', op, ns, dense) using 1:2 with linespoints pointtype 7 pointsize 0.6 linewidth width(i) linecolor rgb colour(i), \
	     for [i = 1:5] last(i, 'dense', op, ns, dense) using 1:2:(word(TITLES, i)) with labels left offset 0.9,real(word(word(MOVE, p), i)) font ',11' textcolor rgb colour(i)
	unset label 1
}
unset multiplot

# All of a life, and the moment that the next kernel waits for.
set terminal pngcairo size 1400,640 font 'DejaVu Sans,12' linewidth 1.3
set output out . '/life.png'
set multiplot layout 1,2 title "What all functions take, together" font ',17' margins 0.06,0.995,0.17,0.84 spacing 0.06,0
set label 1 caption at screen 0.5,0.03 center font ',10' textcolor rgb '#777777'
set yrange [0.08:30000000]
set ytics ('100 ns' 0.1, '1 µs' 1, '10 µs' 10, '100 µs' 100, '1 ms' 1000, '10 ms' 10000, '100 ms' 100000, '1 s' 1000000, '10 s' 10000000)
set title 'whole life: preserve, restore, look up, finish all' font ',14'
plot for [i = 1:4] rows(i, 'dense', 'life', us, dense) using 1:2 with linespoints pointtype 7 pointsize 0.6 linewidth width(i) linecolor rgb colour(i), \
     for [i = 1:4] last(i, 'dense', 'life', us, dense) using 1:2:(word(TITLES, i)) with labels left offset 0.9,real(word('0 0.5 0.3 -0.3', i)) font ',11' textcolor rgb colour(i)
unset label 1
set title 'restore only, which the boot of the next kernel waits for' font ',14'
plot for [i = 1:3] rows(i, 'dense', 'restore', us, dense) using 1:2 with linespoints pointtype 7 pointsize 0.6 linewidth width(i) linecolor rgb colour(i), \
     for [i = 1:3] last(i, 'dense', 'restore', us, dense) using 1:2:(word(TITLES, i)) with labels left offset 0.9,0 font ',11' textcolor rgb colour(i)
unset multiplot

# Memory that is handed over.
set terminal pngcairo size 1650,640 font 'DejaVu Sans,12' linewidth 1.3
set output out . '/memory.png'
set multiplot layout 1,3 title "Memory that is handed over, with pages of 4 KiB" font ',17' margins 0.055,0.995,0.17,0.84 spacing 0.05,0
set label 1 caption at screen 0.5,0.03 center font ',10' textcolor rgb '#777777'
set xtics ('1' 1, '16' 16, '256' 256, '4,096' 4096, '65,536' 65536, '1 M' 1048576)
set xrange [0.8:60000000]
set yrange [2000:2000000000]
set ytics ('4 KiB' 4096, '64 KiB' 65536, '1 MiB' 1048576, '16 MiB' 16777216, '256 MiB' 268435456)
set title 'bus after bus is filled' font ',14'
full = '$5 == ($4 <= 65536 ? 1 : 16)'
plot for [i = 1:3] rows(i, 'dense', 'preserve', '$13', full) using 1:2 with linespoints pointtype 7 pointsize 0.6 linewidth width(i) linecolor rgb colour(i), \
     for [i = 1:3] last(i, 'dense', 'preserve', '$13', full) using 1:2:(word(TITLES, i)) with labels left offset 0.9,0 font ',11' textcolor rgb colour(i)
unset label 1
set title 'one function on each bus' font ',14'
plot for [i = 1:3] rows(i, 'bus', 'preserve', '$13', '1') using 1:2 with linespoints pointtype 7 pointsize 0.6 linewidth width(i) linecolor rgb colour(i), \
     for [i = 1:3] last(i, 'bus', 'preserve', '$13', '1') using 1:2:(word(TITLES, i)) with labels left offset 0.9,0 font ',11' textcolor rgb colour(i)
set title 'one function in each segment' font ',14'
plot for [i = 1:3] rows(i, 'segment', 'preserve', '$13', '1') using 1:2 with linespoints pointtype 7 pointsize 0.6 linewidth width(i) linecolor rgb colour(i), \
     for [i = 1:3] last(i, 'segment', 'preserve', '$13', '1') using 1:2:(word(TITLES, i)) with labels left offset 0.9,real(word('-0.3 0.4 0', i)) font ',11' textcolor rgb colour(i)
unset multiplot
