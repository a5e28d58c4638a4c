# redraw: gnuplot answer.gp (in this directory)
set terminal svg size 900,560 font 'DejaVu Sans,13' background '#ffffff' noenhanced
if (!exists('output_name')) output_name = 'answer.svg'
set output output_name
set datafile separator tab
set border 3 linecolor '#555555'
set tics nomirror out
set grid xtics linetype 1 linecolor '#e4e4e4'
set key top right reverse Left samplen 1.5
set title "What one number costs, by strategy (n = 10^7)" font ',15' offset 0,0.6
set ytics ("bare limits" 0.15, "map" 8, "map_async" 7, "executor map" 6, "apply_async" 5, "executor submit" 4, "apply" 3, "spawn, bounded" 2, "spawn, unbounded" 1)
set logscale x
set xtics ("0.1 ns" 0.1, "1 ns" 1e0, "10 ns" 1e1, "100 ns" 1e2, "1 us" 1e3, "10 us" 1e4, "100 us" 1e5, "1 ms" 1e6, "10 ms" 1e7, "100 ms" 1e8, "1 s" 1e9, "10 s" 1e10, "100 s" 1e11)
set xlabel 'time per number (logarithmic): further left is faster'
set xrange [0.3:1e+08]
set yrange [-1.3:8.7]
set key outside right center
set rmargin 26
set lmargin 18
set arrow from 0.603134,0.02 to 0.603134,0.34 nohead linecolor '#888888' linewidth 1.5
set label "parallel for" at 0.603134,-0.28 center font ',10' textcolor '#555555'
set arrow from 205.256,0.02 to 205.256,0.34 nohead linecolor '#888888' linewidth 1.5
set label "task" at 205.256,-0.28 center font ',10' textcolor '#555555'
set arrow from 1498.88,0.02 to 1498.88,0.34 nohead linecolor '#888888' linewidth 1.5
set label "task+wait" at 1498.88,-0.62 center font ',10' textcolor '#555555'
set arrow from 599.633,0.02 to 599.633,0.34 nohead linecolor '#888888' linewidth 1.5
set label "spin trip" at 599.633,-0.96 center font ',10' textcolor '#555555'
set arrow from 20031.1,0.02 to 20031.1,0.34 nohead linecolor '#888888' linewidth 1.5
set label "semaphore trip" at 20031.1,-0.28 center font ',10' textcolor '#555555'
set arrow from 71804.4,0.02 to 71804.4,0.34 nohead linecolor '#888888' linewidth 1.5
set label "thread" at 71804.4,-0.62 center font ',10' textcolor '#555555'
set arrow from 885873,0.02 to 885873,0.34 nohead linecolor '#888888' linewidth 1.5
set label "fork" at 885873,-0.28 center font ',10' textcolor '#555555'
set arrow from 1.18424,0.5 to 1.18424,8.5 nohead linecolor '#000000' linewidth 1.5 dashtype 2
set label "sequential loop" at 1.18424,8.45 left offset 0.5,0 font ',11'
plot 'answer.dat' index 0 using 1:2:3:(0) with vectors nohead linecolor '#aaaaaa' linewidth 2 notitle, \
 'answer.dat' index 1 with points pointsize 1.7 linewidth 2 linecolor '#0072B2' pointtype 7 title 'processes', \
 'answer.dat' index 2 with points pointsize 1.7 linewidth 2 linecolor '#0072B2' pointtype 8 notitle, \
 'answer.dat' index 3 with points pointsize 1.7 linewidth 2 linecolor '#0072B2' pointtype 2 notitle, \
 'answer.dat' index 4 with points pointsize 1.1 linewidth 2 linecolor '#D55E00' pointtype 7 title 'threads (OpenMP)', \
 'answer.dat' index 5 with points pointsize 1.1 linewidth 2 linecolor '#D55E00' pointtype 8 notitle, \
 'answer.dat' index 6 with points pointsize 1.1 linewidth 2 linecolor '#D55E00' pointtype 2 notitle, \
 'answer.dat' index 7 with points pointsize 1.1 linewidth 2 linecolor '#CC79A7' pointtype 6 title 'Python pool', \
 'answer.dat' index 8 with points pointsize 1.1 linewidth 2 linecolor '#CC79A7' pointtype 8 notitle, \
 'answer.dat' index 9 with points pointsize 1.1 linewidth 2 linecolor '#CC79A7' pointtype 2 notitle, \
 NaN with points pointtype 8 linewidth 2 linecolor '#555555' title 'once, or extrapolated', \
 NaN with points pointtype 2 linewidth 2 linecolor '#555555' title 'did not finish'
