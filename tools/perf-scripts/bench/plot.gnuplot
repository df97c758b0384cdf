# SPDX-License-Identifier: GPL-2.0
#
# Plot the results of the benchmark of preserved PCI functions:
#
#   gnuplot -e "csv='FILE'; out='FOLDER'; machine='MACHINE'; run='COMMAND'" plot.gnuplot

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

# Rows "functions,value" of a contender from so many functions on; value is awk.
rows(i) = sprintf("< awk -F, '$1 == \"%s\" && $2 == \"%s\" && $3 == \"random\" && $6 == \"%s\" && $4 >= %d { printf \"%%d,%%.6g\\n\", $4, %s }' '%s' | sort -t, -n", word(NAMES, i), layout, op, least, value, csv)
# The end of a line has the name.
last(i) = rows(i) . ' | tail -n 1'

# One panel: contenders 1 to n. Names that would overlap are moved, in lines.
PANEL = "set title name font ',14'; \
plot for [i = 1:n] rows(i) using 1:2 with linespoints pointtype 7 pointsize 0.6 linewidth width(i) linecolor rgb colour(i), \
for [i = 1:n] last(i) using 1:2:(word(TITLES, i)) with labels left offset 0.9,real(word(move, i)) font ',11' textcolor rgb colour(i); \
unset label 1"
CAPTION = "set label 1 caption at screen 0.5,0.03 center font ',10' textcolor rgb '#777777'"

set xlabel 'functions preserved' textcolor rgb '#333333'
set xtics ('1' 1, '16' 16, '256' 256, '4,096' 4096, '65,536' 65536, '1 M' 1048576)

set terminal pngcairo size 1650,640 font 'DejaVu Sans,12' linewidth 1.3
set output out . '/operations.png'
set multiplot layout 1,3 title "Time of one call" font ',17' margins 0.05,0.995,0.17,0.84 spacing 0.045,0
eval CAPTION
set xrange [12:40000000]
set yrange [0.4:1000000]
set ytics ('1 ns' 1, '10 ns' 10, '100 ns' 100, '1 µs' 1000, '10 µs' 10000, '100 µs' 100000, '1 ms' 1000000)
n = 5; layout = 'dense'; least = 16; value = '$10 / 1000'
name = 'preserve a function'; op = 'preserve'; move = '0 0 0.2 -0.35 0.35'
eval PANEL
name = 'look a function up'; op = 'hit'; move = '0.3 0.1 0.2 0.3 -0.1'
eval PANEL
name = 'finish a function'; op = 'finish'; move = '0.3 0.2 0.2 -0.6 0.9'
eval PANEL
unset multiplot

set terminal pngcairo size 1400,640 font 'DejaVu Sans,12' linewidth 1.3
set output out . '/life.png'
set multiplot layout 1,2 title "Time of all functions together" font ',17' margins 0.06,0.995,0.17,0.84 spacing 0.06,0
eval CAPTION
set yrange [0.08:30000000]
set ytics ('100 ns' 0.1, '1 µs' 1, '10 µs' 10, '100 µs' 100, '1 ms' 1000, '10 ms' 10000, '100 ms' 100000, '1 s' 1000000, '10 s' 10000000)
value = '$10 * $7 / 1e6'
name = 'whole life: preserve, restore, look up, finish all'; op = 'life'; n = 4; move = '0 0.5 0.3 -0.3'
eval PANEL
name = 'restore only, which the boot of the next kernel waits for'; op = 'restore'; n = 3; move = '0 0 0'
eval PANEL
unset multiplot

set terminal pngcairo size 1650,640 font 'DejaVu Sans,12' linewidth 1.3
set output out . '/memory.png'
set multiplot layout 1,3 title "Memory that is handed over, with pages of 4 KiB" font ',17' margins 0.055,0.995,0.17,0.84 spacing 0.05,0
eval CAPTION
set xrange [0.8:60000000]
set yrange [2000:2000000000]
set ytics ('4 KiB' 4096, '64 KiB' 65536, '1 MiB' 1048576, '16 MiB' 16777216, '256 MiB' 268435456)
op = 'preserve'; least = 1; value = '$11'
name = 'bus after bus is filled'; move = '0 0 0'
eval PANEL
name = 'one function on each bus'; layout = 'bus'
eval PANEL
name = 'one function in each segment'; layout = 'segment'; move = '-0.3 0.4 0'
eval PANEL
unset multiplot
